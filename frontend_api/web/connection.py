"""Quart's HTTP connection, made to stop its work when the server gives up on it."""

from __future__ import annotations

import asyncio

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
from quart.asgi import ASGIHTTPConnection
from quart.utils import cancel_tasks, raise_task_exceptions


class HttpConnection(ASGIHTTPConnection):
    """As Quart's, but cancelling it cancels its two tasks.

    Quart waits for them in `asyncio.wait`, whose cancellation leaves them running:
    at the end of a forced drain no `finally` of a stream would run.
    """

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer one request; ends when it is answered or the client has left."""
        request = self._create_request_from_scope(send)
        tasks = {
            asyncio.ensure_future(self.handle_messages(request, receive)),
            asyncio.ensure_future(self.handle_request(request, send)),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_tasks({task for task in tasks if not task.done()})
        raise_task_exceptions(done)
