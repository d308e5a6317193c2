"""A timer that is cheap to restart for every token.

How it works: `arm` only writes down when the time will be up. One event-loop
handle sleeps until the earliest such moment, looks, and sleeps again if the
moment has moved. So a stream of a thousand tokens a second sets a few handles, not thousands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class IdleTimer:
    """Calls `on_idle` when an armed time passes without being armed anew or disarmed."""

    def __init__(self, on_idle: Callable[[], None]) -> None:
        """Belong to the running loop; whoever makes it closes it."""
        self._loop = asyncio.get_running_loop()
        self._on_idle = on_idle
        self._due: float | None = None
        self._handle: asyncio.TimerHandle | None = None

    def arm(self, limit_s: float) -> None:
        """Start, or start again, from now."""
        self._due = self._loop.time() + limit_s
        if self._handle is None:
            self._handle = self._loop.call_at(self._due, self._look)
        elif self._due < self._handle.when():
            self._handle.cancel()
            self._handle = self._loop.call_at(self._due, self._look)

    def disarm(self) -> None:
        """Forget the time, keep the handle for the next `arm`."""
        self._due = None

    def close(self) -> None:
        """Never call again."""
        self._due = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _look(self) -> None:
        self._handle = None
        if self._due is None:
            return
        if self._loop.time() < self._due:
            self._handle = self._loop.call_at(self._due, self._look)
            return
        self._due = None
        self._on_idle()
