"""Generations on Triton: one stream each over the shared channel, cancelled when closed.

Where several Tritons are behind the address, one that goes away is noticed a second late. What it
loses before the first token is asked again, of the others; an answer is never begun twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from frontend_api.adapters.triton_access import MAX_ASKED, PAUSE_S, TritonAccess
from frontend_api.adapters.triton_channel import InferStream
from frontend_api.adapters.triton_errors import LOST_MESSAGE, failure
from frontend_api.adapters.triton_stock import StockModels, stock_events
from frontend_api.adapters.triton_wire import generate_request, read_response
from frontend_api.domain.errors import BackendLost, EngineFailed, ModelNotReady
from frontend_api.domain.generation import Accepted, Delta, GenerationRequest
from frontend_api.domain.session_key import session_key


class TritonGenerator:
    """The Generator port on a Triton server."""

    def __init__(self, access: TritonAccess, stock: StockModels) -> None:
        """Generate through this access."""
        self._access = access
        self._stock = stock

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Accepted | Delta, None]:
        """Yield what the model answers; see Generator."""
        signature = self._access.catalogue.signature(request.model)
        key = session_key(request)
        if not signature.can_describe:
            request = await self._stock.prepared(request)
        message = generate_request(request, signature)
        was_accepted, num_left = False, MAX_ASKED if self._access.are_several() else 1
        while True:
            num_left -= 1
            try:
                with self._access.stream(request.model, key) as stream:
                    await stream.send(message)
                    events = (
                        _events(stream, request)
                        if signature.can_describe
                        else stock_events(stream, request, signature)
                    )
                    async for event in events:
                        if isinstance(event, Delta):
                            num_left = 0
                        elif was_accepted:
                            continue
                        was_accepted = True
                        yield event
                    return
            except (BackendLost, ModelNotReady):
                if not num_left:
                    raise
            # Without a key the next one in turn is asked.
            key = ""
            await asyncio.sleep(PAUSE_S)


async def _events(
    stream: InferStream, request: GenerationRequest
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
    if num_unfinished:
        raise EngineFailed("The model ended its answer without finishing it.")


def _has_ended(event: Accepted | Delta) -> bool:
    """Return whether a sequence ends with this; raises ModelNotReady if its model was unloaded."""
    if isinstance(event, Accepted) or event.finish_reason is None:
        return False
    if event.finish_reason == "cancelled":  # not by us: then nobody would read on
        raise ModelNotReady(LOST_MESSAGE)
    return True
