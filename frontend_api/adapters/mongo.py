"""Sessions in MongoDB, shared by all workers and servers.

Every write is in the journals of most members of the replica set when the call returns.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from frontend_api.adapters import (
    mongo_audit,
    mongo_budgets,
    mongo_idempotency,
    mongo_keys,
    mongo_messages,
    mongo_runs,
    mongo_sessions,
)
from frontend_api.adapters.mongo_driver import Collections, MongoAddress
from frontend_api.adapters.mongo_link import MongoLink
from frontend_api.adapters.mongo_sessions import Batch
from frontend_api.adapters.store_timing import Observe, unobserved
from frontend_api.domain.audit import AuditEntry, AuditFilter, AuditPage
from frontend_api.domain.budgets import UsageFilter, UsagePage, UsageRow
from frontend_api.domain.keys import ApiKey, KeyPage
from frontend_api.domain.ledger import Ledger
from frontend_api.domain.messages import Ending, Message
from frontend_api.domain.sessions import Found, Session, SessionChanges, SessionPage
from frontend_api.domain.stored import (
    Checkpoint,
    IdempotencyClaim,
    IdempotencyRecord,
    KeptAnswer,
    RunState,
)

Result = TypeVar("Result")


class MongoStore:
    """The database on a server; see ports.Store for what the methods promise."""

    def __init__(self, address: MongoAddress, observe: Observe = unobserved) -> None:
        """Keep the address; `running` connects. observe: hears how long operations take."""
        self._link = MongoLink(address, observe)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Connect, bring the layout up to date, and close after the block.

        A database that does not answer yet is waited for while the block runs.
        """
        return self._link.running()

    async def ping(self) -> bool:
        """Return whether it answers."""
        return await self._link.answers()

    async def create_session(self, session: Session, max_sessions: int) -> None:
        """Add it."""
        async with self._link.use() as db:
            await mongo_sessions.create(db, session, max_sessions)

    async def session(self, owner: str, session_id: str, now: float) -> Session | None:
        """Return it."""
        async with self._link.use() as db:
            return await mongo_sessions.get(db, owner, session_id, now)

    async def sessions(
        self, owner: str, now: float, *, after: str | None, limit: int
    ) -> SessionPage:
        """Return a page of them."""
        async with self._link.use() as db:
            return await mongo_sessions.page(db, owner, now, after=after, limit=limit)

    async def change_session(
        self, owner: str, session_id: str, changes: SessionChanges
    ) -> Session | None:
        """Set what is given."""
        async with self._link.use() as db:
            return await mongo_sessions.change(db, owner, session_id, changes)

    async def delete_session(self, owner: str, session_id: str) -> bool:
        """Remove it with all its messages."""
        async with self._link.use() as db:
            return await mongo_sessions.delete(db, owner, session_id)

    async def delete_expired(self, now: float) -> int:
        """Remove what is over."""
        num_sessions = await self._in_batches(mongo_sessions.delete_expired, now)
        async with self._link.use() as db:
            return num_sessions + await mongo_idempotency.delete_expired(db, now)

    async def append(self, messages: Sequence[Message], head_version: int, at: float) -> Session:
        """Add these to their session and put its head on the last."""
        async with self._link.use() as db:
            return await mongo_messages.append(db, messages, head_version, at)

    async def move_head(
        self, owner: str, session_id: str, head: str | None, head_version: int
    ) -> Session:
        """Put the head there."""
        async with self._link.use() as db:
            return await mongo_sessions.move_head(db, owner, session_id, head, head_version)

    async def message(self, owner: str, message_id: str, *, first: int = 0) -> Message | None:
        """Return it, with the pieces stored so far."""
        async with self._link.use() as db:
            return await mongo_messages.get(db, owner, message_id, first)

    async def messages(self, owner: str, session_id: str) -> Sequence[Message]:
        """Return the whole tree."""
        async with self._link.use() as db:
            return await mongo_messages.tree(db, owner, session_id)

    async def remove_items(self, owner: str, message_id: str, numbers: Collection[int]) -> bool:
        """Mark these items as removed."""
        async with self._link.use() as db:
            return await mongo_messages.remove_items(db, owner, message_id, numbers)

    async def delete_message(self, owner: str, message_id: str) -> bool:
        """Mark it as deleted and drop its content."""
        async with self._link.use() as db:
            return await mongo_messages.delete(db, owner, message_id)

    async def search(
        self, owner: str, text: str, now: float, *, limit: int, session_id: str | None = None
    ) -> Sequence[Found]:
        """Return messages that hold the text."""
        async with self._link.use(is_slow_expected=True) as db:
            return await mongo_messages.search(
                db, owner, text, now, limit=limit, session_id=session_id
            )

    async def checkpoint(self, checkpoint: Checkpoint) -> RunState | None:
        """Add a running message's new pieces and renew its lease."""
        async with self._link.use() as db:
            return await mongo_runs.save(db, checkpoint)

    async def finish(self, checkpoint: Checkpoint, ending: Ending) -> bool:
        """Add the last pieces and the ending."""
        async with self._link.use() as db:
            return await mongo_runs.finish(db, checkpoint, ending)

    async def request_cancel(self, owner: str, message_id: str) -> bool:
        """Tell the worker that runs it to stop."""
        async with self._link.use() as db:
            return await mongo_runs.request_cancel(db, owner, message_id)

    async def expire_leases(self, now: float) -> int:
        """Mark runs whose lease is over as interrupted."""
        return await self._in_batches(mongo_runs.expire_leases, now)

    async def _in_batches(
        self, step: Callable[[Collections, float], Awaitable[Batch]], now: float
    ) -> int:
        batch, num_done = Batch(0, has_more=True), 0
        while batch.has_more:
            async with self._link.use() as db:
                batch = await step(db, now)
            num_done += batch.num_done
        return num_done

    async def claim(self, claim: IdempotencyClaim) -> IdempotencyRecord | None:
        """Take the key, or return what is known of it."""
        async with self._link.use() as db:
            return await mongo_idempotency.claim(db, claim)

    async def keep(self, owner: str, key: str, claimed_at: float, answer: KeptAnswer) -> None:
        """Store the answer of a key that was claimed then."""
        async with self._link.use() as db:
            await mongo_idempotency.keep(db, owner, key, claimed_at, answer)

    async def release(self, owner: str, key: str, claimed_at: float) -> None:
        """Forget a key that was claimed then."""
        async with self._link.use() as db:
            await mongo_idempotency.release(db, owner, key, claimed_at)

    async def add_key(self, key: ApiKey) -> None:
        """Add it."""
        async with self._link.use() as db:
            await mongo_keys.add(db, key)

    async def save_key(self, key: ApiKey) -> None:
        """Put it in the place of the version before."""
        async with self._link.use() as db:
            await mongo_keys.save(db, key)

    async def key(self, key_id: str) -> ApiKey | None:
        """Return it."""
        async with self._link.use() as db:
            return await mongo_keys.get(db, key_id)

    async def keys(self, *, after: str | None, limit: int) -> KeyPage:
        """Return a page of them."""
        async with self._link.use() as db:
            return await mongo_keys.page(db, after=after, limit=limit)

    async def change_ledger(self, subject: str, change: Callable[[Ledger], Result]) -> Result:
        """Let this work on the subject's ledger."""
        async with self._link.use() as db:
            return await mongo_budgets.change(db, subject, change)

    async def add_usage(self, rows: Sequence[UsageRow]) -> None:
        """Add these to what is there."""
        async with self._link.use() as db:
            await mongo_budgets.add_usage(db, rows)

    async def usage(self, wanted: UsageFilter, limit: int) -> UsagePage:
        """Return what was used."""
        async with self._link.use() as db:
            return await mongo_budgets.usage(db, wanted, limit)

    async def add_entries(self, entries: Sequence[AuditEntry]) -> None:
        """Add these to the audit."""
        async with self._link.use() as db:
            await mongo_audit.add(db, entries)

    async def entries(self, wanted: AuditFilter, *, after: str | None, limit: int) -> AuditPage:
        """Return a page of the audit."""
        async with self._link.use() as db:
            return await mongo_audit.page(db, wanted, after=after, limit=limit)

    async def delete_entries(self, before: float) -> int:
        """Remove old entries of the audit."""
        async with self._link.use() as db:
            return await mongo_audit.delete(db, before)
