"""Looks once a second at what nobody asks about: the models, this process, its loop, its disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from frontend_api.ports import ModelCatalogue
from frontend_api.telemetry import Telemetry, certificate_end, disk_figures, process_figures

_PERIOD_S: Final = 1.0
_log = structlog.get_logger()


class SelfWatch:
    """Tells telemetry what it sees."""

    def __init__(
        self,
        catalogue: ModelCatalogue,
        telemetry: Telemetry,
        *,
        on_disk: str = "",
        certificate: str = "",
    ) -> None:
        """Use these; nothing is begun.

        on_disk: the file whose disk is looked at; certificate: the PEM file of TLS, if any.
        """
        self._catalogue = catalogue
        self._telemetry = telemetry
        self._on_disk = Path(on_disk)
        self._certificate = certificate

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Look while the block runs."""
        # Once: the server does not read a renewed one either. It has read this one already.
        self._telemetry.certificate_loaded(certificate_end(self._certificate))
        self.look(0.0)
        task = asyncio.create_task(self._look_again_and_again())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _look_again_and_again(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_at = loop.time() + _PERIOD_S
            await asyncio.sleep(_PERIOD_S)
            try:
                self.look(max(0.0, loop.time() - due_at))
            except Exception:
                _log.exception("self_watch.fault")

    def look(self, loop_lag_s: float) -> None:
        """Look now; the event loop was so late."""
        self._telemetry.models_seen(self._catalogue.listed())
        self._telemetry.process_seen(process_figures(), loop_lag_s)
        if disk := disk_figures(self._on_disk):
            self._telemetry.disk_seen(disk)
        self._telemetry.exemplars_shared()
