"""A stream that begins before its answer can: a model may take minutes to load.

Programs and proxies give up on a connection that says nothing for a minute. So a stream whose
answer is not there in time is begun with keepalives; what it is refused with then is an event.
What is kept for repetitions of the request must be known before it is told: that one waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import structlog
from quart import Response

from frontend_api.domain import sse
from frontend_api.domain.errors import InternalFault, ServiceError
from frontend_api.web.errors import error_event
from frontend_api.web.event_response import event_response
from frontend_api.web.scope import RequestRecord

_log = structlog.get_logger()


class _Opening:
    """The task in which a stream is opened; ends with the request, even if nobody reads it."""

    def __init__(self, opening: Coroutine[Any, Any, Response]) -> None:
        self.task = asyncio.create_task(opening)

    async def aclose(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def last_events(error: ServiceError) -> bytes:
    """Return the end of a stream that was refused, as OpenAI's clients of completions know it."""
    return error_event(error) + sse.DONE


async def patiently(
    opening: Coroutine[Any, Any, Response],
    record: RequestRecord,
    *,
    patience_s: float,
    keepalive_s: float,
    refusal: Callable[[ServiceError], bytes] = last_events,
) -> Response:
    """Return the stream that `opening` returns, or, after `patience_s`, one that waits for it.

    Raises the ServiceError that `opening` raises in that time; `refusal` makes events of a later
    one.
    """
    if record.claim is not None or record.repeats is not None:
        return await opening
    task = record.own(_Opening(opening)).task
    done, _ = await asyncio.wait([task], timeout=patience_s)
    return task.result() if done else event_response(_events(task, record, keepalive_s, refusal))


async def _events(
    task: asyncio.Task[Response],
    record: RequestRecord,
    keepalive_s: float,
    refusal: Callable[[ServiceError], bytes],
) -> AsyncGenerator[bytes, None]:
    try:
        while not task.done():
            done, _ = await asyncio.wait([task], timeout=keepalive_s)
            if not done:
                yield sse.KEEPALIVE
        async with task.result().response as body:
            async for part in body:
                yield part.encode() if isinstance(part, str) else part
    except ServiceError as error:
        record.is_broken = True
        yield refusal(error)
    except Exception:
        _log.exception("stream.fault")
        record.is_broken = True
        yield refusal(InternalFault("The server had an error. Please try again."))
