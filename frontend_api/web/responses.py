"""/v1/responses over HTTP: create, look, follow, cancel, delete, and what came before.

A stored response belongs to the server: its clients come and go, and only a cancel stops it. One
with `store: false` is stopped when its client leaves. A model that fails after it has accepted
the request makes a response with status `failed`, which is an answer and no HTTP error: it is
stored, and the same request sent again would be another turn.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final, Literal

from quart import Blueprint, Response, request

from frontend_api.domain.errors import (
    BadRequest,
    Conflict,
    LimitReached,
    NotFound,
    StoreLost,
)
from frontend_api.domain.messages import Message
from frontend_api.service.responses import Responses
from frontend_api.settings import Settings
from frontend_api.web import answer_types_responses as types
from frontend_api.web.answer_types_events import StreamEvent
from frontend_api.web.body import read_body
from frontend_api.web.conversation_json import answer, items_page
from frontend_api.web.documented import GENERATION, RouteDoc, documented
from frontend_api.web.event_response import event_response
from frontend_api.web.idempotency import open_feed
from frontend_api.web.item_types import ItemList
from frontend_api.web.items_json import EventNumber, item_json
from frontend_api.web.owner import owner_of
from frontend_api.web.patience import patiently
from frontend_api.web.query import Query, read_query
from frontend_api.web.response_exchange import FindItem
from frontend_api.web.response_json import response_json
from frontend_api.web.response_stream import (
    document,
    log_fields,
    refusal_event,
    response_stream,
)
from frontend_api.web.scope import record_of
from frontend_api.web.wire_base import Unsupported, Wire
from frontend_api.web.wire_conversations import ItemsQuery
from frontend_api.web.wire_responses import ResponseIn

TAG: Final = "Responses"
CREATION: Final = (*GENERATION, NotFound, Conflict, LimitReached, StoreLost)
_FINDING: Final = (NotFound, StoreLost)
_CREATE: Final = RouteDoc(
    tag=TAG,
    body=ResponseIn,
    example={"model": "demo", "input": "Hello", "max_output_tokens": 16},
    answers={200: types.Response},
    media={"text/event-stream": StreamEvent},
    errors=CREATION,
    is_idempotent=True,
)


class LookQuery(Query):
    """How to look at a response: `stream` replays its events and goes on with it."""

    stream: bool = False
    starting_after: EventNumber | None = None
    include: Unsupported = None
    include_obfuscation: Literal["false"] | None = None


_LOOK: Final = RouteDoc(
    tag=TAG,
    query=LookQuery,
    answers={200: types.Response},
    media={"text/event-stream": StreamEvent},
    errors=_FINDING,
)


def response_routes(responses: Responses, find_item: FindItem, settings: Settings) -> Blueprint:
    """Return the routes; `find_item` gets an owner's stored item by its id."""
    blueprint = Blueprint("responses", __name__)
    http = _Http(responses, find_item, settings)

    @blueprint.post("/v1/responses")
    @documented(_CREATE)
    async def create_response() -> Response:
        """Answer one turn, as JSON, as an event stream, or in the background."""
        return await http.create(await read_body(ResponseIn))

    @blueprint.get("/v1/responses/<response_id>")
    @documented(_LOOK)
    async def get_response(response_id: str) -> Response:
        """Return a response as far as it is, or its events from the beginning or a number on."""
        return await http.look(response_id, read_query(LookQuery))

    @blueprint.delete("/v1/responses/<response_id>")
    @documented(RouteDoc(tag=TAG, answers={200: types.DeletedResponse}, errors=_FINDING))
    async def delete_response(response_id: str) -> Response:
        """Stop a response if it runs, and delete it; what follows it keeps its place."""
        await responses.delete(owner_of(request.scope), response_id)
        return answer({"id": response_id, "object": "response", "deleted": True})

    @blueprint.post("/v1/responses/<response_id>/cancel")
    @documented(RouteDoc(tag=TAG, answers={200: types.Response}, errors=_FINDING))
    async def cancel_response(response_id: str) -> Response:
        """Stop a response wherever it runs; one that has ended stays as it is."""
        await read_body(Wire)
        message = await responses.cancel(owner_of(request.scope), response_id)
        return http.answer(message)

    @blueprint.get("/v1/responses/<response_id>/input_items")
    @documented(RouteDoc(tag=TAG, query=ItemsQuery, answers={200: ItemList}, errors=_FINDING))
    async def list_input_items(response_id: str) -> Response:
        """Return the items the model was given, those of earlier turns included."""
        query = read_query(ItemsQuery)
        items = await responses.input_of(owner_of(request.scope), response_id)
        return answer(items_page([item_json(item_id, item) for item_id, item in items], query))

    return blueprint


class _Http:
    """What the routes do inside a request."""

    def __init__(self, responses: Responses, find_item: FindItem, settings: Settings) -> None:
        self._responses = responses
        self._find_item = find_item
        self._patience_s = settings.triton.queue_timeout_s
        self._keepalive_s = settings.server.keepalive_interval_s

    async def create(self, wire: ResponseIn) -> Response:
        if not wire.stream:
            return await self._create(wire)
        return await patiently(
            self._create(wire),
            record_of(request.scope),
            patience_s=self._patience_s,
            keepalive_s=self._keepalive_s,
            refusal=refusal_event,
        )

    async def _create(self, wire: ResponseIn) -> Response:
        owner, record = owner_of(request.scope), record_of(request.scope)
        order = await wire.to_order(owner, record.id, lambda id_: self._find_item(owner, id_))
        feed = record.own(await open_feed(self._responses, order))
        record.add_to_log(lambda: log_fields(feed))
        if wire.stream:
            return response_stream(feed, record, self._keepalive_s)
        return self.answer(feed.message) if wire.background else await document(feed, record)

    async def look(self, response_id: str, query: LookQuery) -> Response:
        owner, record = owner_of(request.scope), record_of(request.scope)
        if query.stream:
            feed = record.own(await self._responses.follow(owner, response_id))
            if request.method == "HEAD":
                return event_response(_nothing())
            after = -1 if query.starting_after is None else query.starting_after
            return response_stream(feed, record, self._keepalive_s, after)
        if query.starting_after is not None:
            raise BadRequest(
                "The 'starting_after' parameter is only allowed when 'stream' is enabled.",
                param="starting_after",
            )
        return self.answer(await self._responses.get(owner, response_id))

    def answer(self, message: Message) -> Response:
        is_waiting = self._responses.is_waiting(message.owner, message.id)
        return answer(response_json(message, is_saved=not is_waiting))


async def _nothing() -> AsyncGenerator[bytes, None]:
    """Yield nothing: a HEAD is answered with the headers of the stream alone."""
    return
    yield b""
