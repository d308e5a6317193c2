"""The level of the log, changed while the server runs: every worker looks once a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from frontend_api.logs import log_level, set_log_level
from frontend_api.ports import SharedLevel

_PERIOD_S: Final = 1.0
_log = structlog.get_logger()


class LogLevel:
    """Knows the level of this worker, and tells the others."""

    def __init__(self, shared: SharedLevel) -> None:
        """Use this; nothing is looked at yet."""
        self._shared = shared

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Do what is told while the block runs; afterwards it is as it was before."""
        before = log_level()
        task = asyncio.create_task(self._look_again_and_again())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            set_log_level(before)

    @property
    def now(self) -> str:
        """From which level on this worker writes lines."""
        return log_level()

    def change(self, level: str) -> None:
        """Change it, here at once and in the other workers within a second."""
        self._shared.tell(level)
        self.look()

    def look(self) -> None:
        """Do what was told last."""
        told = self._shared.told()
        if told is not None and told != log_level():
            set_log_level(told)
            _log.warning("log_level.changed", level_now=told)

    async def _look_again_and_again(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                _log.exception("log_level.fault")
            await asyncio.sleep(_PERIOD_S)
