"""Ways to read a response while it is made, and after.

Every feed of one response gives the same pieces, all of them, from the first on: where the
worker runs it from its log, elsewhere from the store.

A worker that was silent for too long, and comes back, goes on with what others have marked as
`interrupted`. So a reader believes this mark only when it has stood for a while. Only the reader
of a worker that comes back even later is told an end that was none: what it was told stays true,
and asking again tells the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from frontend_api.domain.answer_pieces import Piece
from frontend_api.domain.errors import StoreLost
from frontend_api.domain.messages import INTERRUPTED, Ending, Message
from frontend_api.ports import Clock, SessionStore
from frontend_api.service.idle_timer import IdleTimer
from frontend_api.service.run_log import RunLog

# How often another worker's response is looked at: half of what a checkpoint takes to come.
POLL_INTERVAL_S: Final = 0.5


class Feed(Protocol):
    """A view of one response, for one reader; several per response are possible."""

    @property
    def message(self) -> Message:
        """The response as it was when the feed was opened; final once `take` has returned None."""
        ...

    @property
    def is_saved(self) -> bool:
        """Whether all that was told is in the store; False: it was lost, or refused the end.

        For a lost store the end is kept and written later. False for what is not to be stored.
        """
        ...

    @property
    def queue_position(self) -> int | None:
        """Its place in the line before the model, 1 is next; None: not in line, or not known."""
        ...

    @property
    def num_tokens(self) -> int | None:
        """How many tokens the model has made so far; None: another worker's, or it has ended."""
        ...

    async def take(self, patience_s: float) -> Sequence[Piece] | None:
        """Return the next pieces; empty after `patience_s` without any; None at the end.

        A failure of the model is no exception here: `message.run.ending` tells of it.
        """
        ...

    async def aclose(self) -> None:
        """Stop looking; a response that is not to be stored is cancelled with its feed."""
        ...


class LogFeed:
    """Reads a log of this worker."""

    def __init__(self, log: RunLog, on_close: Callable[[], Awaitable[None]] | None = None) -> None:
        """Begin at the first piece; `on_close` is awaited when the feed is closed."""
        self._log = log
        self._on_close = on_close
        self._opened = log.message
        self._next = 0
        self._has_seen_end = False
        self._sleeper: asyncio.Future[None] | None = None
        self._patience = IdleTimer(self._lose_patience)

    @property
    def message(self) -> Message:
        """See Feed."""
        return self._log.message if self._has_seen_end else self._opened

    @property
    def is_saved(self) -> bool:
        """See Feed."""
        return self._log.is_saved

    @property
    def queue_position(self) -> int | None:
        """See Feed."""
        return self._log.queue_position()

    @property
    def num_tokens(self) -> int | None:
        """See Feed."""
        return self._log.num_tokens()

    async def take(self, patience_s: float) -> Sequence[Piece] | None:
        """See Feed."""
        log = self._log
        if self._next < len(log.pieces):
            # Always-ready pieces would otherwise keep the loop from seeing a disconnect.
            await asyncio.sleep(0)
        elif not log.is_ended:
            await self._wait(patience_s)
        if self._next < len(log.pieces):
            pieces = log.pieces[self._next :]
            self._next = len(log.pieces)
            return pieces
        self._has_seen_end = log.is_ended
        return None if log.is_ended else ()

    async def aclose(self) -> None:
        """See Feed."""
        self._patience.close()
        if self._on_close is not None:
            await self._on_close()

    async def _wait(self, limit_s: float) -> None:
        sleeper = self._sleeper = self._log.watch()
        self._patience.arm(limit_s)
        try:
            await sleeper
        finally:
            self._patience.disarm()
            self._log.forget(sleeper)

    def _lose_patience(self) -> None:
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)


class EndedFeed:
    """Reads a response that is over; `is_saved` False: its last write waits for the store."""

    queue_position = None
    num_tokens = None

    def __init__(self, message: Message, *, is_saved: bool) -> None:
        """Tell all of it at once."""
        self.message = message
        self.is_saved = is_saved
        self._pieces = () if message.run is None else message.run.pieces

    async def take(self, patience_s: float) -> Sequence[Piece] | None:
        """See Feed."""
        pieces, self._pieces = self._pieces, ()
        return pieces or None

    async def aclose(self) -> None:
        """See Feed; nothing is open."""


class StoredFeed:
    """Reads a response of another worker, or an ended one, from the store."""

    is_saved = True
    # Only the worker that runs it knows.
    queue_position = None
    num_tokens = None

    def __init__(
        self,
        message: Message,
        store: SessionStore,
        clock: Clock,
        *,
        interval_s: float = POLL_INTERVAL_S,
        grace_s: float = 0,
    ) -> None:
        """Begin at the first piece; `message` is what the store says now.

        interval_s: between two looks. grace_s: how long a mark `interrupted` must have stood.
        """
        self._opened = self._latest = message
        self._store = store
        self._clock = clock
        self._interval_s = interval_s
        self._grace_s = grace_s
        self._next = 0
        self._has_seen_end = False

    @property
    def message(self) -> Message:
        """See Feed."""
        return self._latest if self._has_seen_end else self._opened

    async def take(self, patience_s: float) -> Sequence[Piece] | None:
        """See Feed; a store that does not answer is no news."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        while not (pieces := self._untaken()):
            if self._has_ended:
                self._has_seen_end = True
                return None
            left_s = deadline - loop.time()
            if left_s <= 0:
                return ()
            await asyncio.sleep(min(self._interval_s, left_s))
            await self._look()
        return pieces

    async def aclose(self) -> None:
        """See Feed; nothing is open between two looks."""

    @property
    def _has_ended(self) -> bool:
        run = self._latest.run
        if run is None or run.ending is None or run.ending.reason != INTERRUPTED:
            return run is None or not run.is_running
        # A clock that was put back must not keep a reader waiting.
        return not 0 <= self._clock.now() - run.ending.completed_at < self._grace_s

    def _untaken(self) -> Sequence[Piece]:
        run = self._latest.run
        pieces = () if run is None else run.pieces[self._next :]
        self._next += len(pieces)
        return pieces

    async def _look(self) -> None:
        known = () if self._latest.run is None else self._latest.run.pieces
        owner, message_id = self._opened.owner, self._opened.id
        try:
            found = await self._store.message(owner, message_id, first=len(known))
        except StoreLost:
            return
        if found is None or found.run is None:
            self._latest = _removed(self._latest, self._clock.now())
        else:
            whole = replace(found.run, pieces=known + found.run.pieces)
            self._latest = replace(found, run=whole)


def _removed(message: Message, now: float) -> Message:
    """Return a response whose session was deleted while it ran."""
    if message.run is None:
        return message
    ending = Ending(status="cancelled", completed_at=now)
    return replace(message, run=replace(message.run, status="cancelled", ending=ending))
