"""What the ports on Triton share with the watch over its models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from frontend_api.adapters.triton_catalogue import TritonCatalogue
from frontend_api.adapters.triton_channel import InferStream, OpenStreams, TritonChannel
from frontend_api.domain.errors import BackendLost


@dataclass(frozen=True, slots=True)
class TritonAccess:
    """A way to the models; the watch ends the `streams` of a dead one.

    on_lost: told the model's name when a stream finds the connection broken.
    """

    channel: TritonChannel
    catalogue: TritonCatalogue
    streams: OpenStreams
    on_lost: Callable[[str], None]

    @contextmanager
    def stream(self, model: str) -> Iterator[InferStream]:
        """Yield a stream for one request to the model; closed with the block."""
        try:
            with self.streams.opened(model, self.channel.stub.ModelStreamInfer()) as stream:
                yield stream
        except BackendLost:
            self.on_lost(model)
            raise
