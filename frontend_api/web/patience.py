"""A stream that begins before its answer can: a model may take minutes to load.

Programs and proxies give up on a connection that says nothing for a minute. So a stream whose
answer is not there in time is begun with keepalives; what it is refused with then is an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
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


async def patiently(
    opening: Coroutine[Any, Any, Response],
    record: RequestRecord,
    *,
    patience_s: float,
    keepalive_s: float,
) -> Response:
    """Return the stream that `opening` returns, or, after `patience_s`, one that waits for it.

    Raises the ServiceError that `opening` raises in that time.
    """
    task = record.own(_Opening(opening)).task
    done, _ = await asyncio.wait([task], timeout=patience_s)
    return task.result() if done else event_response(_events(task, keepalive_s))


async def _events(task: asyncio.Task[Response], keepalive_s: float) -> AsyncGenerator[bytes, None]:
    try:
        while not task.done():
            done, _ = await asyncio.wait([task], timeout=keepalive_s)
            if not done:
                yield sse.KEEPALIVE
        async with task.result().response as body:
            async for part in body:
                yield part.encode() if isinstance(part, str) else part
        return
    except ServiceError as error:
        yield error_event(error)
    except Exception:
        _log.exception("stream.fault")
        yield error_event(InternalFault("The server had an error. Please try again."))
    yield sse.DONE
