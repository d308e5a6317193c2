"""WS /v1/responses: many responses at once over one connection.

How it works: every message of the client is done by a task of its own, which belongs to the
connection and ends with it; so nothing waits for a response that is slow. A stored response goes
on without its clients, another connection can resume it; one with `store: false` is stopped. An
event is the JSON of the event stream with its `response_id`, and the `stream_id` if the client
gave one. A heartbeat comes at fixed times, whatever else does; one that counts tokens comes about
twice a second between the deltas of a response that this worker makes, to who asked for that.
"""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from quart import Blueprint, websocket

from frontend_api.domain.errors import LimitReached
from frontend_api.service.responses import Responses
from frontend_api.settings import ServerSettings
from frontend_api.telemetry import Telemetry
from frontend_api.telemetry.tracing import Span
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
    heartbeat,
    names_of,
)
from frontend_api.web.responses import CREATION, TAG
from frontend_api.web.scope import begun_message
from frontend_api.web.unsaved_turns import UnsavedTurns
from frontend_api.web.wire_response_socket import SocketMessageIn

# Messages of one connection that are being answered.
MAX_AT_ONCE: Final = 32
_DOC: Final = RouteDoc(
    tag=TAG,
    body=SocketMessageIn,
    example={"type": "response.create", "model": "demo", "input": "Hello"},
    media={"application/json": SocketEvent},
    errors=CREATION,
)


def response_socket_routes(
    responses: Responses, find_item: FindItem, settings: ServerSettings, telemetry: Telemetry
) -> Blueprint:
    """Return the route; `find_item` gets an owner's stored item by its id."""
    blueprint = Blueprint("response_socket", __name__)

    @blueprint.websocket(ROUTE)
    @documented(_DOC)
    async def respond() -> None:
        """Create, resume and cancel responses, several at once."""
        await websocket.accept()

        def exchange(peer: Peer) -> ResponseExchange:
            return ResponseExchange(responses, find_item, peer, telemetry)

        begun = partial(begun_message, telemetry, websocket.scope)
        connection = _Connection(owner_of(websocket.scope), exchange, begun)
        try:
            await connection.serve(settings.keepalive_interval_s)
        except* PeerLeft:
            # There is nobody to tell.
            pass

    return blueprint


class _Connection:
    """One client; `serve` owns every task."""

    def __init__(
        self,
        owner: str,
        exchange: Callable[[Peer], ResponseExchange],
        begun: Callable[[str], Span],
    ) -> None:
        self._exchange = exchange
        self._peer = Peer(owner, self.send, UnsavedTurns(), begun)
        self._sending = asyncio.Lock()
        self._running: dict[asyncio.Task[None], ResponseExchange] = {}

    async def serve(self, heartbeat_s: float) -> None:
        """Do what the client asks for, until it leaves: then this is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat(heartbeat_s))
            while True:
                message = await websocket.receive()
                if len(self._running) >= MAX_AT_ONCE:
                    await self._refuse(message)
                    continue
                exchange = self._exchange(self._peer)
                task = tasks.create_task(exchange.answer(message))
                self._running[task] = exchange
                task.add_done_callback(self._running.pop)

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
            await self.send([self._heartbeat()])

    async def _refuse(self, message: str | bytes) -> None:
        error = LimitReached(f"At most {MAX_AT_ONCE} messages are answered at once.")
        await self.send([error_message(error, names_of(message))])

    def _heartbeat(self) -> bytes:
        queued = dict(ChainMap(*(dict(exchange.queued) for exchange in self._running.values())))
        return heartbeat(queued=queued)
