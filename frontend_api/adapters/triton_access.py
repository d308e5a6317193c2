"""What the ports on Triton share with the watch over its models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from frontend_api.adapters.triton_catalogue import TritonCatalogue
from frontend_api.adapters.triton_channel import InferStream, OpenStreams, TritonChannel
from frontend_api.domain.errors import BackendLost
from frontend_api.telemetry.tracing import current_span, spanned

# Read by docker/haproxy/haproxy.cfg, which sends what begins alike to the same of several Tritons.
SESSION_HEADER: Final = "x-conch-session"
# Of several Tritons, one that goes away is asked for a second until the balancer notices: so many
# are asked in all, with such a pause in between.
MAX_ASKED: Final = 4
PAUSE_S: Final = 0.1
_METHOD: Final = "inference.GRPCInferenceService/ModelStreamInfer"
_CALL: Final = {"rpc.system.name": "grpc", "rpc.method": _METHOD}


@dataclass(frozen=True, slots=True)
class TritonAccess:
    """A way to the models; the watch ends the `streams` of a dead one.

    on_lost: told the model's name when a stream finds the connection broken. are_several: whether
    several Tritons are behind the address, of which another may take what one has lost.
    """

    channel: TritonChannel
    catalogue: TritonCatalogue
    streams: OpenStreams
    on_lost: Callable[[str], None]
    are_several: Callable[[], bool]

    @contextmanager
    def stream(self, model: str, session_key: str = "") -> Iterator[InferStream]:
        """Yield a stream for one request to the model; closed with the block."""
        session = ((SESSION_HEADER, session_key),) if session_key else ()
        try:
            with spanned(current_span().child(_METHOD, "client")) as span:
                span.set(_CALL)
                metadata = (*session, *span.headers()) or None
                call = self.channel.stub.ModelStreamInfer(metadata=metadata)
                with self.streams.opened(model, call) as stream:
                    yield stream
        except BackendLost:
            self.on_lost(model)
            raise
