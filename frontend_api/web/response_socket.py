"""WS /v1/responses: many responses at once over one connection.

How it works: every message of the client is done by a task of its own, which belongs to the
connection and ends with it; so nothing waits for a response that is slow. A stored response goes
on without its clients, another connection can resume it; one with `store: false` is stopped. An
event is the JSON of the event stream with its `response_id`, and the `stream_id` if the client
gave one. A heartbeat comes at fixed times, whatever else does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from quart import Blueprint, websocket

from frontend_api.domain.errors import LimitReached
from frontend_api.service.responses import Responses
from frontend_api.settings import ServerSettings
from frontend_api.web.answer_types_events import SocketEvent
from frontend_api.web.documented import RouteDoc, documented
from frontend_api.web.owner import owner_of
from frontend_api.web.response_exchange import (
    ROUTE,
    FindItem,
    Peer,
    PeerLeft,
    ResponseExchange,
    error_message,
    names_of,
)
from frontend_api.web.responses import CREATION, TAG
from frontend_api.web.unsaved_turns import UnsavedTurns
from frontend_api.web.wire_response_socket import SocketMessageIn

# Messages of one connection that are being answered.
MAX_AT_ONCE: Final = 32
HEARTBEAT: Final = b'{"type":"heartbeat"}'
_DOC: Final = RouteDoc(
    tag=TAG,
    body=SocketMessageIn,
    example={"type": "response.create", "model": "demo", "input": "Hello"},
    media={"application/json": SocketEvent},
    errors=CREATION,
)


def response_socket_routes(
    responses: Responses, find_item: FindItem, settings: ServerSettings
) -> Blueprint:
    """Return the route; `find_item` gets an owner's stored item by its id."""
    blueprint = Blueprint("response_socket", __name__)

    @blueprint.websocket(ROUTE)
    @documented(_DOC)
    async def respond() -> None:
        """Create, resume and cancel responses, several at once."""
        await websocket.accept()
        connection = _Connection(responses, find_item, owner_of(websocket.scope))
        try:
            await connection.serve(settings.keepalive_interval_s)
        except* PeerLeft:
            # There is nobody to tell.
            pass

    return blueprint


class _Connection:
    """One client; `serve` owns every task."""

    def __init__(self, responses: Responses, find_item: FindItem, owner: str) -> None:
        self._responses = responses
        self._find_item = find_item
        self._peer = Peer(owner, self.send, UnsavedTurns())
        self._sending = asyncio.Lock()
        self._num_running = 0

    async def serve(self, heartbeat_s: float) -> None:
        """Do what the client asks for, until it leaves: then this is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat(heartbeat_s))
            while True:
                message = await websocket.receive()
                if self._num_running >= MAX_AT_ONCE:
                    await self._refuse(message)
                    continue
                self._num_running += 1
                exchange = ResponseExchange(self._responses, self._find_item, self._peer)
                task = tasks.create_task(exchange.answer(message))
                task.add_done_callback(self._count_down)

    async def send(self, messages: Iterable[bytes]) -> None:
        """Send these, in this order and with nothing between them; raises PeerLeft."""
        async with self._sending:
            try:
                for message in messages:
                    await websocket.send(message.decode())
            except OSError as exc:
                raise PeerLeft from exc

    async def _beat(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            await self.send([HEARTBEAT])

    async def _refuse(self, message: str | bytes) -> None:
        error = LimitReached(f"At most {MAX_AT_ONCE} messages are answered at once.")
        await self.send([error_message(error, names_of(message))])

    def _count_down(self, _: asyncio.Task[None]) -> None:
        self._num_running -= 1
