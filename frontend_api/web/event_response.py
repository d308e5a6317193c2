"""The HTTP answer around an event stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from quart import Response


def event_response(events: AsyncGenerator[bytes, None]) -> Response:
    """Answer with these events as they come, past proxies that would gather them."""
    response = Response(
        events,
        content_type="text/event-stream; charset=utf-8",
        headers={"cache-control": "no-cache", "x-accel-buffering": "no"},
    )
    # Quart would cut the stream after a minute without a word; our deadlines are the generation's.
    response.timeout = None
    return response
