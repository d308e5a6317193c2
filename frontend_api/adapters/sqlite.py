"""Sessions in one SQLite file, for a server without MongoDB; its workers share the file.

A worker has two connections: in WAL mode its reading never waits for its writing. Every write is
one transaction that is on the disk when the call returns.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

from aiosqlite import Connection

from frontend_api.adapters import (
    sqlite_audit,
    sqlite_budgets,
    sqlite_idempotency,
    sqlite_keys,
    sqlite_messages,
    sqlite_runs,
    sqlite_sessions,
)
from frontend_api.adapters.sqlite_connection import MEMORY, SqliteConnection
from frontend_api.adapters.sqlite_layout import bring_up_to_date
from frontend_api.adapters.store_timing import Observe, unobserved
from frontend_api.domain.audit import AuditEntry, AuditFilter, AuditPage
from frontend_api.domain.budgets import UsageFilter, UsagePage, UsageRow
from frontend_api.domain.errors import ServiceError, StoreLost
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
    StoreRefused,
)

Result = TypeVar("Result")

# How long workers that start together wait for the one that lays out the file.
_OPEN_TIMEOUT_S: Final = 10.0
_OPEN_PAUSE_S: Final = 0.05
# The first with RETURNING, March 2021.
_OLDEST_LIBRARY: Final = (3, 35)


def memory_store() -> SqliteStore:
    """Return a store that forgets everything when it is closed."""
    return SqliteStore(MEMORY)


class SqliteStore:
    """The database in a file; see ports.Store for what the methods promise."""

    def __init__(
        self, path: str | Path, *, timeout_s: float = 2, observe: Observe = unobserved
    ) -> None:
        """Name the file; `running` opens it.

        timeout_s: how long one call may take. observe: hears how long operations take.
        """
        self._observe = observe
        self._path = str(path)
        self._timeout_s = timeout_s
        self._writer: SqliteConnection | None = None
        self._reader: SqliteConnection | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the file, bring its layout up to date, and close it after the block."""
        async with AsyncExitStack() as opened:
            try:
                _refuse_old_library()
                self._writer = await self._open_first()
                opened.push_async_callback(self._writer.close)
                self._reader = self._writer
                if self._path != MEMORY:
                    self._reader = await SqliteConnection.open(
                        self._path, self._timeout_s, observe=self._observe
                    )
                    opened.push_async_callback(self._reader.close)
            except (sqlite3.Error, OSError, StoreRefused) as exc:
                reason = exc.strerror if isinstance(exc, OSError) else str(exc)
                raise StoreRefused(f"SQLite file {self._path} cannot be used: {reason}.") from exc
            try:
                yield
            finally:
                self._writer = self._reader = None

    async def _open_first(self) -> SqliteConnection:
        clock = asyncio.get_running_loop().time
        give_up_at = clock() + _OPEN_TIMEOUT_S
        while True:
            try:
                return await SqliteConnection.open(
                    self._path, self._timeout_s, bring_up_to_date, observe=self._observe
                )
            except sqlite3.OperationalError as exc:
                # Switching a new file to WAL does not wait for the others as other writes do.
                if "locked" not in str(exc) or clock() > give_up_at:
                    raise
            await asyncio.sleep(_OPEN_PAUSE_S)

    def _reading(self) -> AbstractAsyncContextManager[Connection]:
        if self._reader is None:
            raise StoreLost("The database with the sessions is not open.")
        return self._reader.transaction("DEFERRED")

    def _writing(self) -> AbstractAsyncContextManager[Connection]:
        if self._writer is None:
            raise StoreLost("The database with the sessions is not open.")
        return self._writer.transaction("IMMEDIATE")

    async def ping(self) -> bool:
        """Return whether it answers."""
        try:
            async with self._reading() as db:
                await db.execute_fetchall("SELECT count(*) FROM sqlite_master")
        except ServiceError:
            return False
        return True

    async def create_session(self, session: Session, max_sessions: int) -> None:
        """Add it."""
        async with self._writing() as db:
            await sqlite_sessions.create(db, session, max_sessions)

    async def session(self, owner: str, session_id: str, now: float) -> Session | None:
        """Return it."""
        async with self._reading() as db:
            return await sqlite_sessions.get(db, owner, session_id, now)

    async def sessions(
        self, owner: str, now: float, *, after: str | None, limit: int
    ) -> SessionPage:
        """Return a page of them."""
        async with self._reading() as db:
            return await sqlite_sessions.page(db, owner, now, after=after, limit=limit)

    async def change_session(
        self, owner: str, session_id: str, changes: SessionChanges
    ) -> Session | None:
        """Set what is given."""
        async with self._writing() as db:
            return await sqlite_sessions.change(db, owner, session_id, changes)

    async def delete_session(self, owner: str, session_id: str) -> bool:
        """Remove it with all its messages."""
        async with self._writing() as db:
            return await sqlite_sessions.delete(db, owner, session_id)

    async def delete_expired(self, now: float) -> int:
        """Remove what is over."""
        num_sessions = await self._in_batches(
            sqlite_sessions.delete_expired, now, sqlite_sessions.EXPIRED_AT_ONCE
        )
        async with self._writing() as db:
            return num_sessions + await sqlite_idempotency.delete_expired(db, now)

    async def append(self, messages: Sequence[Message], head_version: int, at: float) -> Session:
        """Add these to their session and put its head on the last."""
        async with self._writing() as db:
            return await sqlite_messages.append(db, messages, head_version, at)

    async def move_head(
        self, owner: str, session_id: str, head: str | None, head_version: int
    ) -> Session:
        """Put the head there."""
        async with self._writing() as db:
            always = float("-inf")
            session = await sqlite_sessions.checked(db, owner, session_id, head_version, always)
            return await sqlite_sessions.move_head(db, session, head, at=None)

    async def message(self, owner: str, message_id: str, *, first: int = 0) -> Message | None:
        """Return it, with the pieces stored so far."""
        async with self._reading() as db:
            return await sqlite_messages.get(db, owner, message_id, first)

    async def messages(self, owner: str, session_id: str) -> Sequence[Message]:
        """Return the whole tree."""
        async with self._reading() as db:
            return await sqlite_messages.tree(db, owner, session_id)

    async def remove_items(self, owner: str, message_id: str, numbers: Collection[int]) -> bool:
        """Mark these items as removed."""
        async with self._writing() as db:
            return await sqlite_messages.remove_items(db, owner, message_id, numbers)

    async def delete_message(self, owner: str, message_id: str) -> bool:
        """Mark it as deleted and drop its content."""
        async with self._writing() as db:
            return await sqlite_messages.delete(db, owner, message_id)

    async def search(
        self, owner: str, text: str, now: float, *, limit: int, session_id: str | None = None
    ) -> Sequence[Found]:
        """Return messages that hold the text."""
        async with self._reading() as db:
            return await sqlite_messages.search(
                db, owner, text, now, limit=limit, session_id=session_id
            )

    async def checkpoint(self, checkpoint: Checkpoint) -> RunState | None:
        """Add a running message's new pieces and renew its lease."""
        async with self._writing() as db:
            return await sqlite_runs.save(db, checkpoint)

    async def finish(self, checkpoint: Checkpoint, ending: Ending) -> bool:
        """Add the last pieces and the ending."""
        async with self._writing() as db:
            return await sqlite_runs.finish(db, checkpoint, ending)

    async def request_cancel(self, owner: str, message_id: str) -> bool:
        """Tell the worker that runs it to stop."""
        async with self._writing() as db:
            return await sqlite_runs.request_cancel(db, owner, message_id)

    async def expire_leases(self, now: float) -> int:
        """Mark runs whose lease is over as interrupted."""
        return await self._in_batches(sqlite_runs.expire_leases, now, sqlite_runs.EXPIRED_AT_ONCE)

    async def _in_batches(
        self, step: Callable[[Connection, float], Awaitable[int]], now: float, size: int
    ) -> int:
        done = 0
        while True:
            async with self._writing() as db:
                num = await step(db, now)
            done += num
            if num < size:
                return done

    async def claim(self, claim: IdempotencyClaim) -> IdempotencyRecord | None:
        """Take the key, or return what is known of it."""
        async with self._writing() as db:
            return await sqlite_idempotency.claim(db, claim)

    async def keep(self, owner: str, key: str, claimed_at: float, answer: KeptAnswer) -> None:
        """Store the answer of a key that was claimed then."""
        async with self._writing() as db:
            await sqlite_idempotency.keep(db, owner, key, claimed_at, answer)

    async def release(self, owner: str, key: str, claimed_at: float) -> None:
        """Forget a key that was claimed then."""
        async with self._writing() as db:
            await sqlite_idempotency.release(db, owner, key, claimed_at)

    async def add_key(self, key: ApiKey) -> None:
        """Add it."""
        async with self._writing() as db:
            await sqlite_keys.add(db, key)

    async def save_key(self, key: ApiKey) -> None:
        """Put it in the place of the version before."""
        async with self._writing() as db:
            await sqlite_keys.save(db, key)

    async def key(self, key_id: str) -> ApiKey | None:
        """Return it."""
        async with self._reading() as db:
            return await sqlite_keys.get(db, key_id)

    async def keys(self, *, after: str | None, limit: int) -> KeyPage:
        """Return a page of them."""
        async with self._reading() as db:
            return await sqlite_keys.page(db, after=after, limit=limit)

    async def change_ledger(self, subject: str, change: Callable[[Ledger], Result]) -> Result:
        """Let this work on the subject's ledger."""
        async with self._writing() as db:
            return await sqlite_budgets.change(db, subject, change)

    async def add_usage(self, rows: Sequence[UsageRow]) -> None:
        """Add these to what is there."""
        async with self._writing() as db:
            await sqlite_budgets.add_usage(db, rows)

    async def usage(self, wanted: UsageFilter, limit: int) -> UsagePage:
        """Return what was used."""
        async with self._reading() as db:
            return await sqlite_budgets.usage(db, wanted, limit)

    async def add_entries(self, entries: Sequence[AuditEntry]) -> None:
        """Add these to the audit."""
        async with self._writing() as db:
            await sqlite_audit.add(db, entries)

    async def entries(self, wanted: AuditFilter, *, after: str | None, limit: int) -> AuditPage:
        """Return a page of the audit."""
        async with self._reading() as db:
            return await sqlite_audit.page(db, wanted, after=after, limit=limit)

    async def delete_entries(self, before: float) -> int:
        """Remove old entries of the audit."""
        async with self._writing() as db:
            return await sqlite_audit.delete(db, before)


def _refuse_old_library() -> None:
    if sqlite3.sqlite_version_info < _OLDEST_LIBRARY:
        raise StoreRefused(f"SQLite {sqlite3.sqlite_version} is older than 3.35")
