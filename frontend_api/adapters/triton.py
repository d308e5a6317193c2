"""Triton as a whole: the channel, the watch over its models, and the ports on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from frontend_api.adapters.triton_access import TritonAccess
from frontend_api.adapters.triton_catalogue import TritonCatalogue
from frontend_api.adapters.triton_channel import OpenStreams, TritonChannel
from frontend_api.adapters.triton_control import TritonControl
from frontend_api.adapters.triton_generator import TritonGenerator
from frontend_api.adapters.triton_stock import StockModels
from frontend_api.adapters.triton_tasks import TritonTasks
from frontend_api.adapters.triton_watch import TritonWatch
from frontend_api.settings import ModelSettings, TritonSettings


class Triton:
    """A Triton server: its ports work while `running` is entered."""

    def __init__(
        self, triton: TritonSettings, models: ModelSettings, shared_folder: Path | None = None
    ) -> None:
        """Put the parts together; nothing is opened. The workers of a host share the folder."""
        streams = OpenStreams()
        self._channel = TritonChannel(triton)
        self.catalogue = TritonCatalogue()
        self._watch = TritonWatch(self._channel, self.catalogue, streams, triton, models)
        watch = self._watch
        access = TritonAccess(
            self._channel,
            self.catalogue,
            streams,
            on_lost=watch.doubt,
            are_several=lambda: watch.are_several,
        )
        self.tokenizing = TritonTasks(access, triton.queue_timeout_s)
        stock = StockModels(self.tokenizing, models.chat_templates)
        self.generator = TritonGenerator(access, stock)
        self.control = TritonControl(
            self._channel,
            self._watch,
            load_timeout_s=models.load_timeout_s,
            shared=shared_folder,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold the channel open and watch the models; both end with the block."""
        async with self._channel:
            watch = asyncio.create_task(self._watch.run())
            try:
                # Of several workers one must not answer "not ready" after another was ready.
                await self._watch.first_look()
                yield
            finally:
                watch.cancel()
                await asyncio.wait([watch])
