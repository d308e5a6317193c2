"""The Lines port for a server of one worker: in its own memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

from frontend_api.domain.fair_line import FairLine
from frontend_api.domain.line_memory import NUM_BYTES, LineMemory


class OwnLines:
    """Nobody else stands in these."""

    worker = 0

    def __init__(self) -> None:
        """Begin with no line."""
        self._lines: dict[str, FairLine] = {}

    @asynccontextmanager
    async def opened(self, on_news: Callable[[], None]) -> AsyncGenerator[None, None]:
        """Nobody has news."""
        yield

    def held(self, model: str) -> AbstractContextManager[FairLine | None]:
        """See Lines."""
        line = self._lines.get(model)
        if line is None:
            line = self._lines[model] = FairLine(LineMemory(memoryview(bytearray(NUM_BYTES))))
        return nullcontext(line)

    def tell(self, workers: Collection[int]) -> None:
        """There is nobody to tell."""

    def lost(self) -> Collection[int]:
        """Nobody."""
        return ()
