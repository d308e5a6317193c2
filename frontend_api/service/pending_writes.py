"""What must reach the store yet: writes that are kept while it does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

import structlog

from frontend_api.domain.errors import Conflict, StoreLost
from frontend_api.domain.messages import Ending, Message
from frontend_api.domain.stored import Checkpoint
from frontend_api.ports import SessionStore

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LastWrite:
    """What ends a response in the store, and the response as it is then."""

    checkpoint: Checkpoint
    ending: Ending
    message: Message

    async def apply(self, store: SessionStore) -> None:
        """Write it; done again it changes nothing."""
        try:
            await store.finish(self.checkpoint, self.ending)
        except Conflict:
            # A database that was put back to an earlier state has lost checkpoints: say it all.
            pieces = () if self.message.run is None else self.message.run.pieces
            whole = replace(self.checkpoint, first=0, pieces=pieces)
            await store.finish(whole, self.ending)


@dataclass(frozen=True, slots=True)
class Undo:
    """Takes back a turn of which nobody knows whether the store has it; its client was refused.

    has_session: its session was made for it, under an id that nobody else knows.
    """

    messages: Sequence[Message]
    has_session: bool

    @property
    def message(self) -> Message:
        """The response's placeholder."""
        return self.messages[-1]

    async def apply(self, store: SessionStore) -> None:
        """Delete what is there of it; done again it changes nothing."""
        if self.has_session:
            await store.delete_session(self.message.owner, self.message.session_id)
            return
        for message in self.messages:
            await store.delete_message(message.owner, message.id)


class _Outcome(Enum):
    """What came of one attempt to write."""

    WRITTEN = auto()
    LOST = auto()
    REFUSED = auto()


class PendingWrites:
    """Writes once at once, and later again what could not be written."""

    def __init__(self, store: SessionStore, *, timeout_s: float, max_writes: int) -> None:
        """Keep at most so many; one attempt takes at most `timeout_s`."""
        self._store = store
        self._timeout_s = timeout_s
        self._max_writes = max_writes
        self._waiting: dict[str, LastWrite | Undo] = {}

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def message(self, owner: str, message_id: str) -> Message | None:
        """Return a response that has ended and is not saved yet."""
        found = self._waiting.get(message_id)
        is_known = isinstance(found, LastWrite) and found.message.owner == owner
        return found.message if found is not None and is_known else None

    def forget(self, message_id: str) -> None:
        """Do not write this one: it is deleted."""
        self._waiting.pop(message_id, None)

    def forget_session(self, owner: str, session_id: str) -> None:
        """Do not write what belongs to this session: it is deleted."""
        for write in list(self._waiting.values()):
            if (write.message.owner, write.message.session_id) == (owner, session_id):
                self.forget(write.message.id)

    async def write(self, write: LastWrite) -> bool:
        """Return whether it is saved now; if not, it waits for a `flush`.

        What the store refuses does not wait: it would be refused for ever.
        """
        outcome = await self._attempt(write)
        if outcome is _Outcome.LOST:
            self.wait_with(write)
        return outcome is _Outcome.WRITTEN

    def wait_with(self, write: LastWrite | Undo) -> None:
        """Keep it for a `flush`; when too many wait already, it is given up."""
        message_id = write.message.id
        if len(self._waiting) >= self._max_writes:
            # Its checkpoints stay, and whoever looks after leases will mark it as interrupted.
            _log.error("store.write_lost", message_id=message_id)
            return
        self._waiting[message_id] = write
        _log.warning("store.write_waits", message_id=message_id, waiting=len(self))

    async def flush(self) -> bool:
        """Write what waits, the oldest first, up to the first failure; whether nothing is left."""
        while self._waiting:
            message_id, write = next(iter(self._waiting.items()))
            if await self._attempt(write) is _Outcome.LOST:
                return False
            self.forget(message_id)
        return True

    async def _attempt(self, write: LastWrite | Undo) -> _Outcome:
        try:
            async with asyncio.timeout(self._timeout_s):
                await write.apply(self._store)
        except (StoreLost, TimeoutError):
            return _Outcome.LOST
        except Exception:
            # It must not hold up the others. Its lease will end what the store has of it.
            _log.exception("store.write_refused", message_id=write.message.id)
            return _Outcome.REFUSED
        return _Outcome.WRITTEN
