"""Generations on Triton: one stream each over the shared channel, cancelled when closed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from frontend_api.adapters.triton_catalogue import TritonCatalogue
from frontend_api.adapters.triton_channel import InferStream, OpenStreams, TritonChannel
from frontend_api.adapters.triton_errors import LOST_MESSAGE, failure
from frontend_api.adapters.triton_wire import Signature, generate_request, read_response
from frontend_api.domain.errors import BackendLost, EngineFailed, ModelNotReady
from frontend_api.domain.generation import Accepted, Delta, GenerationRequest


class TritonGenerator:
    """The Generator port on a Triton server."""

    def __init__(
        self,
        channel: TritonChannel,
        catalogue: TritonCatalogue,
        streams: OpenStreams,
        on_lost: Callable[[str], None],
    ) -> None:
        """Share these with the watch, which ends the streams of a dead model.

        on_lost: told the model's name when a stream finds the connection broken.
        """
        self._channel = channel
        self._catalogue = catalogue
        self._streams = streams
        self._on_lost = on_lost

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Accepted | Delta, None]:
        """Yield what the model answers; see Generator."""
        signature = self._catalogue.signature(request.model)
        message = generate_request(request, signature)
        call = self._channel.stub.ModelStreamInfer()
        with self._streams.opened(request.model, call) as stream:
            try:
                await stream.send(message)
                async for event in _events(stream, request, signature):
                    yield event
            except BackendLost:
                self._on_lost(request.model)
                raise


async def _events(
    stream: InferStream, request: GenerationRequest, signature: Signature
) -> AsyncGenerator[Accepted | Delta, None]:
    num_unfinished = request.n
    while (response := await stream.read()) is not None:
        if response.error_message:
            raise failure(response.error_message, request)
        event = read_response(response.infer_response)
        if event is None:
            continue
        num_unfinished -= _has_ended(event)
        yield event
    if num_unfinished and "finish_reason" in signature.outputs:
        raise EngineFailed("The model ended its answer without finishing it.")
    if num_unfinished:
        # A stock ensemble does not say why it ended; its stream ends when the answer does.
        for index in range(request.n):
            yield Delta(index, "", 0, "stop")


def _has_ended(event: Accepted | Delta) -> bool:
    """Return whether a sequence ends with this; raises ModelNotReady if its model was unloaded."""
    if isinstance(event, Accepted) or event.finish_reason is None:
        return False
    if event.finish_reason == "cancelled":  # not by us: then nobody would read on
        raise ModelNotReady(LOST_MESSAGE)
    return True
