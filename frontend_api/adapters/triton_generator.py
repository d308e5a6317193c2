"""Generations on Triton: one stream each over the shared channel, cancelled when closed."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from frontend_api.adapters.triton_access import TritonAccess
from frontend_api.adapters.triton_channel import InferStream
from frontend_api.adapters.triton_errors import LOST_MESSAGE, failure
from frontend_api.adapters.triton_wire import Signature, generate_request, read_response
from frontend_api.domain.errors import EngineFailed, ModelNotReady
from frontend_api.domain.generation import Accepted, Delta, GenerationRequest


class TritonGenerator:
    """The Generator port on a Triton server."""

    def __init__(self, access: TritonAccess) -> None:
        """Generate through this access."""
        self._access = access

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Accepted | Delta, None]:
        """Yield what the model answers; see Generator."""
        signature = self._access.catalogue.signature(request.model)
        message = generate_request(request, signature)
        with self._access.stream(request.model) as stream:
            await stream.send(message)
            async for event in _events(stream, request, signature):
                yield event


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
