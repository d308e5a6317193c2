"""Turns a running generation into an HTTP answer: an event stream, or one document."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

import structlog
from quart import Response

from frontend_api.domain import sse
from frontend_api.domain.errors import InternalFault, ServiceError
from frontend_api.domain.generation import Usage
from frontend_api.service.live import LiveGeneration
from frontend_api.web.chunks import Completion
from frontend_api.web.errors import error_event
from frontend_api.web.event_response import event_response

# The generation's own deadline comes first.
_FOREVER_S: Final = 86_400.0
_log = structlog.get_logger()


def event_stream(
    generation: LiveGeneration, completion: Completion, keepalive_s: float, includes_usage: bool
) -> Response:
    """Answer with the generation's deltas as they come."""
    completion.prepare_chunks(includes_usage)
    return event_response(_events(generation, completion, keepalive_s, includes_usage))


async def document(generation: LiveGeneration, completion: Completion) -> Response:
    """Answer with the whole text when the generation has ended; raises the error it ended with."""
    while (deltas := await generation.take(patience_s=_FOREVER_S)) is not None:
        completion.take(deltas)
        _stop_if_sufficient(generation, completion)
    usage = _final_usage(generation, completion)
    return Response(completion.whole(usage, generation.timing), mimetype="application/json")


def log_fields(model: str, generation: LiveGeneration) -> dict[str, object]:
    """Return what the log says of an ended generation."""
    return {
        "model": model,
        "generation": generation.outcome,
        "queue_ms": generation.timing.queue_ms,
        "prompt_tokens": generation.usage.prompt_tokens,
        "completion_tokens": generation.usage.completion_tokens,
        "detail": "" if generation.error is None else generation.error.detail,
    }


def milliseconds(seconds: float | None) -> float | None:
    """Return a time as the log has it."""
    return None if seconds is None else round(seconds * 1000, 1)


async def _events(
    generation: LiveGeneration, completion: Completion, keepalive_s: float, includes_usage: bool
) -> AsyncGenerator[bytes, None]:
    """Yield the stream's bytes; nothing is left to clean up if this is never run to its end."""
    try:
        if opening := completion.opening():
            yield opening
        while (deltas := await generation.take(keepalive_s)) is not None:
            silence = sse.keepalive(generation.queue_position)
            if events := completion.chunks(deltas) if deltas else silence:
                yield events
            _stop_if_sufficient(generation, completion)
    except ServiceError as error:
        yield error_event(error)
    except Exception:
        _log.exception("stream.fault")
        yield error_event(InternalFault("The server had an error. Please try again."))
    else:
        if includes_usage:
            usage = _final_usage(generation, completion)
            yield completion.usage_chunk(usage, generation.timing)
    yield sse.DONE


def _stop_if_sufficient(generation: LiveGeneration, completion: Completion) -> None:
    if completion.is_sufficient:
        generation.suffice()


def _final_usage(generation: LiveGeneration, completion: Completion) -> Usage:
    usage = generation.usage
    usage.reasoning_tokens = completion.reasoning_tokens
    return usage
