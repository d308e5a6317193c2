"""All that one response has said so far, in the memory of the worker that runs it.

Readers keep their own place in it and are only woken: however slow one is, it costs nobody
anything, and every one sees the same pieces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from frontend_api.domain.answer_pieces import Piece
from frontend_api.domain.messages import Message


class RunLog:
    """The pieces of a response; `message` is its placeholder until the end, then final."""

    def __init__(
        self,
        message: Message,
        queue_position: Callable[[], int | None] = lambda: None,
        num_tokens: Callable[[], int | None] = lambda: None,
    ) -> None:
        """Begin empty; these tell the place in the line before the model, and what it has made."""
        self.message = message
        self.queue_position = queue_position
        self.num_tokens = num_tokens
        self.pieces: list[Piece] = []
        self.is_ended = False
        self.is_saved = False
        self._sleepers: set[asyncio.Future[None]] = set()

    def add(self, pieces: Sequence[Piece]) -> None:
        """Append what came and wake the readers."""
        if pieces:
            self.pieces.extend(pieces)
            self._wake()

    def end(self, message: Message, *, is_saved: bool) -> None:
        """Let the readers see the end."""
        self.message, self.is_saved, self.is_ended = message, is_saved, True
        self._wake()

    async def ended(self) -> None:
        """Wait for the end."""
        while not self.is_ended:
            await self.watch()

    def watch(self) -> asyncio.Future[None]:
        """Return what is done as soon as there is news; `forget` it if it is not waited for."""
        sleeper = asyncio.get_running_loop().create_future()
        self._sleepers.add(sleeper)
        return sleeper

    def forget(self, sleeper: asyncio.Future[None]) -> None:
        """Do not wake this one."""
        self._sleepers.discard(sleeper)

    def _wake(self) -> None:
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)
        self._sleepers.clear()
