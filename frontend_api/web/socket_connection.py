"""Quart's WebSocket connection, bounded in what it keeps and in how long it waits.

Quart itself would queue messages without end, wait for ever for a client that reads
nothing, and leave its tasks running when the server gives up on the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, WebsocketScope
from quart import Quart
from quart.asgi import ASGIWebsocketConnection
from quart.utils import cancel_tasks, raise_task_exceptions

# Beside the message being answered; each is at most as large as uvicorn lets it be.
MAX_WAITING_MESSAGES: Final = 16
WRITE_TIMEOUT_KEY: Final = "WEBSOCKET_WRITE_TIMEOUT"
# Of the client, in a minute; 0: any number.
MESSAGE_RATE_KEY: Final = "WEBSOCKET_MESSAGES_PER_MINUTE"
POLICY_VIOLATION: Final = 1008
_MINUTE_S: Final = 60
# In the scope, where it is so: an async function that says whether the client may go on.
RECHECK_KEY: Final = "conch.recheck"


class SocketConnection(ASGIWebsocketConnection):
    """As Quart's, but a flood or a stalled reader ends the connection."""

    def __init__(self, app: Quart, scope: WebsocketScope) -> None:
        """Bound the queue of messages."""
        super().__init__(app, scope)
        self.queue: asyncio.Queue[str | bytes] = asyncio.Queue(MAX_WAITING_MESSAGES)
        self._violation: str | None = None
        self._pace = _Pace(app.config[MESSAGE_RATE_KEY])

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Serve one connection; ends when its handler has ended or the client has left."""
        websocket = self._create_websocket_from_scope(send)
        tasks = {
            asyncio.ensure_future(self.handle_messages(receive)),
            asyncio.ensure_future(self.handle_websocket(websocket, send)),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_tasks({task for task in tasks if not task.done()})
        if self._violation is not None and not self._closed:
            await self.close_connection(send, POLICY_VIOLATION, self._violation)
        raise_task_exceptions(done)

    async def handle_messages(self, receive: ASGIReceiveCallable) -> None:
        """Queue what the client sends, until it leaves, sends too much, or may not any more."""
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return
            if event["type"] == "websocket.receive":
                if not await self._may_go_on():
                    self._violation = "the API key is no longer valid as it was"
                    return
                if not self._pace.allows():
                    self._violation = "too many messages in a minute"
                    return
                try:
                    self.queue.put_nowait(event.get("text") or event.get("bytes") or "")
                except asyncio.QueueFull:
                    self._violation = f"at most {MAX_WAITING_MESSAGES} messages may wait"
                    return

    async def _may_go_on(self) -> bool:
        recheck = cast(Callable[[], Awaitable[bool]] | None, self.scope.get(RECHECK_KEY))
        return recheck is None or await recheck()

    async def send_data(self, send: ASGISendCallable, data: str | bytes) -> None:
        """Send one message; a client that does not read it in time loses the connection."""
        try:
            async with asyncio.timeout(self.app.config[WRITE_TIMEOUT_KEY]):
                await super().send_data(send, data)
        except TimeoutError as exc:
            # ASGI has no word for it, and a polite close would wait for the reader for ever.
            transport = getattr(getattr(send, "__self__", None), "transport", None)
            if transport is not None:
                transport.abort()
            raise ConnectionAbortedError("the client reads nothing") from exc


class _Pace:
    """Lets so many through in a minute: as many at once, then as they would come evenly."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._room = float(per_minute)
        self._looked_at = asyncio.get_running_loop().time()

    def allows(self) -> bool:
        if not self._per_minute:
            return True
        now = asyncio.get_running_loop().time()
        gained = (now - self._looked_at) * self._per_minute / _MINUTE_S
        self._room, self._looked_at = min(self._per_minute, self._room + gained), now
        if self._room < 1:
            return False
        self._room -= 1
        return True
