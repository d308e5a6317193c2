"""What the ports on Triton share with the watch over its models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from frontend_api.adapters.triton_catalogue import TritonCatalogue
from frontend_api.adapters.triton_channel import InferStream, OpenStreams, TritonChannel
from frontend_api.domain.errors import BackendLost

# Read by docker/haproxy/haproxy.cfg, which sends what begins alike to the same of several Tritons.
SESSION_HEADER: Final = "x-conch-session"


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
    def stream(self, model: str, session_key: str = "") -> Iterator[InferStream]:
        """Yield a stream for one request to the model; closed with the block."""
        metadata = ((SESSION_HEADER, session_key),) if session_key else None
        try:
            call = self.channel.stub.ModelStreamInfer(metadata=metadata)
            with self.streams.opened(model, call) as stream:
                yield stream
        except BackendLost:
            self.on_lost(model)
            raise
