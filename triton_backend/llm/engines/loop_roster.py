"""A roster whose owner is an event loop: it is called there instead of waking up."""

import asyncio
import contextlib
from collections.abc import Callable

from .roster import Roster


class LoopRoster(Roster):
    """Calls `on_change` on the loop when sequences came or were cancelled."""

    def __init__(
        self, max_running: int, loop: asyncio.AbstractEventLoop, on_change: Callable[[], None]
    ) -> None:
        super().__init__(max_running)
        self._loop = loop
        self._on_change = on_change

    def wake(self) -> None:
        """Have the loop look again."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and everything with it
            self._loop.call_soon_threadsafe(self._on_change)
