"""What must reach the store yet: writes that are kept while it does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TypeAlias

import structlog

from frontend_api.domain.errors import Conflict, StoreLost
from frontend_api.domain.messages import Ending, Message
from frontend_api.domain.stored import Checkpoint
from frontend_api.ports import SessionStore
from frontend_api.settings import StoreSettings
from frontend_api.telemetry import Telemetry
from frontend_api.telemetry.tracing import current_span, spanned

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LastWrite:
    """What ends a response in the store, and the response as it is then."""

    checkpoint: Checkpoint
    ending: Ending
    message: Message

    @property
    def key(self) -> str:
        """The id of the response."""
        return self.message.id

    @property
    def place(self) -> tuple[str, str]:
        """Its owner and session."""
        return self.message.owner, self.message.session_id

    async def apply(self, store: SessionStore) -> None:
        """Write it; done again it changes nothing."""
        try:
            await self._finish(store, self.checkpoint)
        except Conflict:
            # A database that was put back to an earlier state has lost checkpoints: say it all.
            pieces = () if self.message.run is None else self.message.run.pieces
            await self._finish(store, replace(self.checkpoint, first=0, pieces=pieces))

    async def _finish(self, store: SessionStore, checkpoint: Checkpoint) -> None:
        *parts, last = checkpoint.in_parts()
        for part in parts:
            if await store.checkpoint(part) is None:
                return
        await store.finish(last, self.ending)


@dataclass(frozen=True, slots=True)
class Undo:
    """Takes back a turn of which nobody knows whether the store has it; its client was refused."""

    messages: Sequence[Message]

    @property
    def key(self) -> str:
        """The id of the response's placeholder."""
        return self.messages[-1].id

    @property
    def place(self) -> tuple[str, str]:
        """Its owner and session."""
        return self.messages[-1].owner, self.messages[-1].session_id

    async def apply(self, store: SessionStore) -> None:
        """Delete what is there of it; done again it changes nothing."""
        for message in self.messages:
            await store.delete_message(message.owner, message.id)


@dataclass(frozen=True, slots=True)
class Removal:
    """Removes a session that was to be made, under an id that no client knows."""

    owner: str
    session_id: str

    @property
    def key(self) -> str:
        """The id of the session."""
        return self.session_id

    @property
    def place(self) -> tuple[str, str]:
        """Its owner and the session."""
        return self.owner, self.session_id

    async def apply(self, store: SessionStore) -> None:
        """Delete it if it is there; done again it changes nothing."""
        await store.delete_session(self.owner, self.session_id)


Write: TypeAlias = LastWrite | Undo | Removal


class _Outcome(Enum):
    """What came of one attempt to write."""

    WRITTEN = auto()
    LOST = auto()
    REFUSED = auto()


class PendingWrites:
    """Writes once at once, and later again what could not be written."""

    def __init__(self, store: SessionStore, telemetry: Telemetry, settings: StoreSettings) -> None:
        """Use these; nothing is written before it is asked for."""
        self._store = store
        self._telemetry = telemetry
        self._timeout_s = settings.operation_timeout_s
        self._max_writes = settings.max_pending_writes
        self._waiting: dict[str, Write] = {}

    def message(self, owner: str, message_id: str) -> Message | None:
        """Return a response that has ended and is not saved yet."""
        found = self._waiting.get(message_id)
        if not isinstance(found, LastWrite) or found.message.owner != owner:
            return None
        return found.message

    def forget(self, key: str) -> None:
        """Do not write this one: it is deleted."""
        self._waiting.pop(key, None)
        self._telemetry.writes_wait(len(self._waiting))

    def forget_session(self, owner: str, session_id: str) -> None:
        """Do not write what belongs to this session: it is deleted."""
        for write in list(self._waiting.values()):
            if write.place == (owner, session_id):
                self.forget(write.key)

    async def write(self, write: Write) -> bool:
        """Return whether it is saved now; if not, it waits for a `flush`.

        What the store refuses does not wait: it would be refused for ever.
        """
        with spanned(current_span().child("save")) as span:
            outcome = await self._attempt(write)
            span.set({"conch.id": write.key, "conch.outcome": outcome.name.lower()})
        if outcome is _Outcome.LOST:
            self.wait_with(write)
        return outcome is _Outcome.WRITTEN

    def wait_with(self, write: Write) -> None:
        """Keep it for a `flush`; when too many wait already, it is given up."""
        if len(self._waiting) >= self._max_writes:
            # Its checkpoints stay, and whoever looks after leases will mark it as interrupted.
            _log.error("store.write_lost", id=write.key)
            return
        self._waiting[write.key] = write
        self._telemetry.writes_wait(len(self._waiting))
        _log.warning("store.write_waits", id=write.key, waiting=len(self._waiting))

    async def flush(self) -> bool:
        """Write what waits, the oldest first, up to the first failure; whether nothing is left."""
        while self._waiting:
            key, write = next(iter(self._waiting.items()))
            if await self._attempt(write) is _Outcome.LOST:
                return False
            self.forget(key)
        return True

    async def _attempt(self, write: Write) -> _Outcome:
        try:
            async with asyncio.timeout(self._timeout_s):
                await write.apply(self._store)
        except (StoreLost, TimeoutError):
            return _Outcome.LOST
        except Exception:
            # It must not hold up the others. Its lease will end what the store has of it.
            _log.exception("store.write_refused", id=write.key)
            return _Outcome.REFUSED
        return _Outcome.WRITTEN
