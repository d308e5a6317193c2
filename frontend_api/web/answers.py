"""Turns a running generation into an HTTP answer: an event stream, or one document."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

import structlog
from quart import Response

from frontend_api.domain import sse
from frontend_api.domain.errors import InternalFault, ServiceError
from frontend_api.domain.generation import Delta
from frontend_api.service.live import LiveGeneration
from frontend_api.web.chunks import Completion
from frontend_api.web.errors import error_event

# The generation's own deadline comes first.
_FOREVER_S: Final = 86_400.0
_log = structlog.get_logger()


def event_stream(
    generation: LiveGeneration, completion: Completion, keepalive_s: float, includes_usage: bool
) -> Response:
    """Answer with the generation's deltas as they come."""
    completion.prepare_chunks(includes_usage)
    response = Response(
        _events(generation, completion, keepalive_s, includes_usage),
        content_type="text/event-stream; charset=utf-8",
        headers={"cache-control": "no-cache", "x-accel-buffering": "no"},
    )
    # Quart would cut the stream after a minute without a word; our deadlines are the generation's.
    response.timeout = None
    return response


async def document(generation: LiveGeneration, completion: Completion) -> Response:
    """Answer with the whole text when the generation has ended; raises the error it ended with."""
    deltas: list[Delta] = []
    while (taken := await generation.take(patience_s=_FOREVER_S)) is not None:
        deltas.extend(taken)
    return Response(completion.whole(deltas, generation.usage), mimetype="application/json")


async def _events(
    generation: LiveGeneration, completion: Completion, keepalive_s: float, includes_usage: bool
) -> AsyncGenerator[bytes, None]:
    """Yield the stream's bytes; nothing is left to clean up if this is never run to its end."""
    try:
        if opening := completion.opening():
            yield opening
        while (deltas := await generation.take(keepalive_s)) is not None:
            if events := completion.chunks(deltas) if deltas else sse.KEEPALIVE:
                yield events
    except ServiceError as error:
        yield error_event(error)
    except Exception:
        _log.exception("stream.fault")
        yield error_event(InternalFault("The server had an error. Please try again."))
    else:
        if includes_usage:
            yield completion.usage_chunk(generation.usage)
    yield sse.DONE
