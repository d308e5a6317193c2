"""A feed of a response as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import orjson
import structlog
from quart import Response

from frontend_api.domain import sse
from frontend_api.domain.errors import InternalFault, ServiceError
from frontend_api.service.feeds import Feed
from frontend_api.web.event_response import event_response
from frontend_api.web.response_events import Framing, ResponseEvents, batches
from frontend_api.web.response_json import response_json, run_of
from frontend_api.web.scope import RequestRecord

# The generation's own deadline comes first.
_FOREVER_S: Final = 86_400.0
_log = structlog.get_logger()


def response_stream(
    feed: Feed, record: RequestRecord, keepalive_s: float, after: int = -1
) -> Response:
    """Answer with the events after number `after`, as they come."""
    return event_response(_events(feed, record, keepalive_s, after))


def refusal_event(error: ServiceError) -> bytes:
    """Return the event of a stream whose response could not be begun."""
    told = {"code": error.code, "message": error.message, "param": error.param}
    return Framing().frame("error", {"sequence_number": 0, **told})


async def document(feed: Feed, record: RequestRecord) -> Response:
    """Answer with the whole response when it has ended."""
    while await feed.take(_FOREVER_S) is not None:
        pass
    record.is_broken = run_of(feed.message).status == "failed"
    body = response_json(feed.message, is_saved=feed.is_saved)
    return Response(orjson.dumps(body), mimetype="application/json")


def log_fields(feed: Feed) -> dict[str, object]:
    """Return what the log says of a response."""
    run = run_of(feed.message)
    usage = None if run.ending is None else run.ending.usage
    return {
        "model": run.model,
        "response_id": feed.message.id,
        "response": run.status,
        "queue_ms": run.queue_ms,
        "prompt_tokens": 0 if usage is None else usage.prompt_tokens,
        "completion_tokens": 0 if usage is None else usage.completion_tokens,
    }


async def _events(
    feed: Feed, record: RequestRecord, keepalive_s: float, after: int
) -> AsyncGenerator[bytes, None]:
    """Yield the stream's bytes; the feed belongs to the request's record."""
    events = ResponseEvents(feed.message, Framing(), after)
    try:
        if opening := b"".join(events.opening()):
            yield opening
        while (pieces := await feed.take(keepalive_s)) is not None:
            if not pieces:
                yield sse.keepalive(feed.queue_position)
            for portion in batches(pieces):
                if told := b"".join(events.told(portion)):
                    yield told
                await asyncio.sleep(0)
        record.is_broken = run_of(feed.message).status == "failed"
        yield b"".join(events.ending(feed.message, is_saved=feed.is_saved))
    except ServiceError as error:
        record.is_broken = True
        yield events.broken(error)
    except Exception:
        _log.exception("stream.fault")
        record.is_broken = True
        yield events.broken(InternalFault("The server had an error. Please try again."))
