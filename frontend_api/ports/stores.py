"""The database: what is kept, as Protocols; every call is durable when it returns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

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


class SessionStore(Protocol):
    """Keeps sessions and messages; every call is durable when it returns.

    Every method raises StoreLost, quickly, when the database does not answer. What belongs to
    another owner is as if it were not there. Several workers share one store. Text is kept but for
    lone surrogates, which become U+FFFD; an id with one is refused with BadRequest.
    """

    async def create_session(self, session: Session, max_sessions: int) -> None:
        """Add it; raises LimitReached (0: no limit), and Conflict when the owner has that id.

        An expired session does not count, and its id is free.
        """
        ...

    async def session(self, owner: str, session_id: str, now: float) -> Session | None:
        """Return it; None when unknown or expired."""
        ...

    async def sessions(
        self, owner: str, now: float, *, after: str | None, limit: int
    ) -> SessionPage:
        """Return the owner's, pinned first, then the last changed first; after that id.

        Raises NotFound when there is no session of that id.
        """
        ...

    async def change_session(
        self, owner: str, session_id: str, changes: SessionChanges
    ) -> Session | None:
        """Set what is given, in one step; None when unknown, or its title was from elsewhere."""
        ...

    async def delete_session(self, owner: str, session_id: str) -> bool:
        """Remove it with all its messages."""
        ...

    async def delete_expired(self, now: float) -> int:
        """Remove the sessions (with messages) and idempotency records that are over; how many."""
        ...

    async def append(self, messages: Sequence[Message], head_version: int, at: float) -> Session:
        """Add these to their session in one step and put its head on the last of them.

        at: the session's new `updated_at`. Raises Conflict, and adds nothing, when the head has
        moved since `head_version` or one of the ids is taken; NotFound when the session is gone.
        """
        ...

    async def move_head(
        self, owner: str, session_id: str, head: str | None, head_version: int
    ) -> Session:
        """Put the head there; raises Conflict and NotFound as `append` does."""
        ...

    async def message(self, owner: str, message_id: str, *, first: int = 0) -> Message | None:
        """Return it, with the pieces stored so far, exactly as streamed; None when unknown.

        first: without the pieces before this number, which are not read either.
        """
        ...

    async def messages(self, owner: str, session_id: str) -> Sequence[Message]:
        """Return the whole tree, the oldest first; parents come before their children.

        Neighbouring pieces of an ended run are joined, which is faster to read by far; its items
        are the same.
        """
        ...

    async def remove_items(self, owner: str, message_id: str, numbers: Collection[int]) -> bool:
        """Mark these items as removed; whether the message is there, and not deleted."""
        ...

    async def delete_message(self, owner: str, message_id: str) -> bool:
        """Mark it as deleted and drop its content, `run` included; its children keep their place.

        False when it is unknown or was deleted before.
        """
        ...

    async def search(
        self, owner: str, text: str, now: float, *, limit: int, session_id: str | None = None
    ) -> Sequence[Found]:
        """Return messages that hold the text, whatever its case, the newest first.

        An answer is found from its end on; "" finds nothing.
        """
        ...

    async def checkpoint(self, checkpoint: Checkpoint) -> RunState | None:
        """Add a running message's new pieces and renew its lease; None when it is gone.

        Gone is also what was deleted, and the run of another worker. Sent again, or late, it
        changes nothing twice. Pieces that would leave a gap are not added: the number of pieces
        in the result says where to go on. A run that was marked `interrupted` meanwhile runs
        again: only its own worker calls this. A queued run is in progress from its first piece on.
        """
        ...

    async def finish(self, checkpoint: Checkpoint, ending: Ending) -> bool:
        """Add the last pieces and the ending in one step; False when the message is gone.

        A second ending changes nothing, unless the first was `interrupted`. Raises Conflict, and
        changes nothing, when pieces before `checkpoint.first` are missing.
        """
        ...

    async def request_cancel(self, owner: str, message_id: str) -> bool:
        """Tell the worker that runs it, at its next checkpoint, to stop; False unless it runs."""
        ...

    async def expire_leases(self, now: float) -> int:
        """Mark runs whose lease is over as incomplete, `interrupted`; how many."""
        ...


class IdempotencyStore(Protocol):
    """Remembers the answers to requests that came with an `Idempotency-Key`; errors as above."""

    async def claim(self, claim: IdempotencyClaim) -> IdempotencyRecord | None:
        """Return None when the key is new, and is now taken; else what is known of it."""
        ...

    async def keep(self, owner: str, key: str, claimed_at: float, answer: KeptAnswer) -> None:
        """Store the answer of a key, unless it was claimed anew since that time."""
        ...

    async def release(self, owner: str, key: str, claimed_at: float) -> None:
        """Forget a key that was claimed at that time and has no answer; others stay."""
        ...


class KeyStore(Protocol):
    """Keeps API keys, of which it never sees a secret; errors as above."""

    async def add_key(self, key: ApiKey) -> None:
        """Add it; raises Conflict when there is one of that id."""
        ...

    async def save_key(self, key: ApiKey) -> None:
        """Put it in the place of the version before; raises Conflict when that is not there."""
        ...

    async def key(self, key_id: str) -> ApiKey | None:
        """Return it; None when unknown."""
        ...

    async def keys(self, *, after: str | None, limit: int) -> KeyPage:
        """Return the keys that were made after that one; raises NotFound when there is none."""
        ...


class BudgetStore(Protocol):
    """Keeps a ledger for everybody who has budgets; errors as above."""

    async def change_ledger(self, subject: str, change: Callable[[Ledger], Result]) -> Result:
        """Let this work on the subject's ledger, which is empty at first; return its result.

        One change after the other, whichever worker asks, and durable when this returns. It may be
        called several times, of which one counts. What it raises is raised, and nothing is kept.
        """
        ...


class UsageStore(Protocol):
    """Adds up what was used; errors as above."""

    async def add_usage(self, rows: Sequence[UsageRow]) -> None:
        """Add these to what is there of the same day, key and model."""
        ...

    async def usage(self, wanted: UsageFilter, limit: int) -> UsagePage:
        """Return what was used, at most so many rows."""
        ...


class AuditStore(Protocol):
    """Keeps the audit, to which entries are only added; errors as above."""

    async def add_entries(self, entries: Sequence[AuditEntry]) -> None:
        """Add these; one of an id that is there already is not added again."""
        ...

    async def entries(self, wanted: AuditFilter, *, after: str | None, limit: int) -> AuditPage:
        """Return those that are older than that one; raises NotFound when there is none."""
        ...

    async def delete_entries(self, before: float) -> int:
        """Remove those that are older than that time; how many."""
        ...


class Store(
    SessionStore, IdempotencyStore, KeyStore, BudgetStore, UsageStore, AuditStore, Protocol
):
    """The database."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Open it, bring its layout up to date, and close it after the block.

        Raises StoreRefused in one sentence when it was written by a newer version.
        """
        ...

    async def ping(self) -> bool:
        """Return whether it answers, within a second or two."""
        ...
