"""/v1/conversations and their items as OpenAI has them; the list of them is our extension.

Items are those along the path in view, from the first message to the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quart import Blueprint, Response, request

from frontend_api.domain.errors import Conflict, LimitReached, NotFound, StoreLost
from frontend_api.domain.messages import Item
from frontend_api.service.sessions import Sessions
from frontend_api.web.body import read_body
from frontend_api.web.conversation_json import (
    answer,
    conversation_json,
    items_json,
    items_page,
    list_json,
    seen_json,
)
from frontend_api.web.conversation_types import (
    Conversation,
    ConversationDeleted,
    ConversationList,
)
from frontend_api.web.documented import RouteDoc, documented
from frontend_api.web.item_types import Item as ItemAnswer
from frontend_api.web.item_types import ItemList
from frontend_api.web.items_json import InlineItem, ItemReferenceIn, read_items
from frontend_api.web.owner import owner_of
from frontend_api.web.query import read_query
from frontend_api.web.wire_conversations import (
    ConversationChangesIn,
    ConversationIn,
    IncludeQuery,
    ItemsIn,
    ItemsQuery,
    PageQuery,
)

TAG: Final = "Conversations"
ONE: Final = "/v1/conversations/<conversation_id>"
_ITEMS: Final = f"{ONE}/items"
_ITEM: Final = f"{_ITEMS}/<item_id>"
_HELLO: Final = {"type": "message", "role": "user", "content": "Hello"}
_CREATE_DOC: Final = RouteDoc(
    tag=TAG,
    body=ConversationIn,
    example={"items": [_HELLO], "metadata": {"topic": "demo"}},
    answers={200: Conversation},
    errors=(NotFound, LimitReached, StoreLost),
    is_idempotent=True,
)
_LIST_DOC: Final = RouteDoc(
    tag=TAG, query=PageQuery, answers={200: ConversationList}, errors=(NotFound, StoreLost)
)
_GET_DOC: Final = RouteDoc(tag=TAG, answers={200: Conversation}, errors=(NotFound, StoreLost))
_UPDATE_DOC: Final = RouteDoc(
    tag=TAG,
    body=ConversationChangesIn,
    example={"metadata": {"topic": "demo"}, "x_conch": {"title": "A demo", "is_pinned": True}},
    answers={200: Conversation},
    errors=(NotFound, StoreLost),
)
_DELETE_DOC: Final = RouteDoc(
    tag=TAG, answers={200: ConversationDeleted}, errors=(NotFound, StoreLost)
)
_ADD_DOC: Final = RouteDoc(
    tag=TAG,
    body=ItemsIn,
    query=IncludeQuery,
    example={"items": [_HELLO]},
    answers={200: ItemList},
    errors=(NotFound, Conflict, LimitReached, StoreLost),
    is_idempotent=True,
)
_ITEMS_DOC: Final = RouteDoc(
    tag=TAG, query=ItemsQuery, answers={200: ItemList}, errors=(NotFound, StoreLost)
)
_ITEM_DOC: Final = RouteDoc(
    tag=TAG, query=IncludeQuery, answers={200: ItemAnswer}, errors=(NotFound, StoreLost)
)


def conversation_routes(sessions: Sessions) -> Blueprint:
    """Return the routes of conversations."""
    blueprint = Blueprint("conversations", __name__)

    @blueprint.post("/v1/conversations")
    @documented(_CREATE_DOC)
    async def create_conversation() -> Response:
        """Begin a conversation."""
        wire = await read_body(ConversationIn)
        items = await _items(sessions, wire.items or ())
        session = await sessions.create(_owner(), items, wire.metadata or {})
        return answer(conversation_json(session))

    @blueprint.get("/v1/conversations")
    @documented(_LIST_DOC)
    async def list_conversations() -> Response:
        """List conversations, pinned first, then the last changed first."""
        query = read_query(PageQuery)
        seen, has_more = await sessions.page(_owner(), query.after, query.limit)
        return answer(list_json([seen_json(each) for each in seen], has_more=has_more))

    @blueprint.get(ONE)
    @documented(_GET_DOC)
    async def get_conversation(conversation_id: str) -> Response:
        """Describe a conversation."""
        session = await sessions.get(_owner(), conversation_id)
        return answer(seen_json(await sessions.seen(session)))

    @blueprint.post(ONE)
    @documented(_UPDATE_DOC)
    async def update_conversation(conversation_id: str) -> Response:
        """Change a conversation's metadata, title or pin."""
        wire = await read_body(ConversationChangesIn)
        session = await sessions.change(_owner(), conversation_id, wire.to_domain())
        return answer(seen_json(await sessions.seen(session)))

    @blueprint.delete(ONE)
    @documented(_DELETE_DOC)
    async def delete_conversation(conversation_id: str) -> Response:
        """Delete a conversation with everything in it; what runs in it is stopped."""
        await sessions.delete(_owner(), conversation_id)
        return answer({"id": conversation_id, "object": "conversation.deleted", "deleted": True})

    return blueprint


def conversation_item_routes(sessions: Sessions) -> Blueprint:
    """Return the routes of their items."""
    blueprint = Blueprint("conversation_items", __name__)

    @blueprint.post(_ITEMS)
    @documented(_ADD_DOC)
    async def create_items(conversation_id: str) -> Response:
        """Add items at the end of the path in view."""
        read_query(IncludeQuery)
        wire = await read_body(ItemsIn)
        items = await _items(sessions, wire.items)
        added = await sessions.add(_owner(), conversation_id, items)
        return answer(list_json([each for m in added for each in items_json(m)], has_more=False))

    @blueprint.get(_ITEMS)
    @documented(_ITEMS_DOC)
    async def list_items(conversation_id: str) -> Response:
        """List the items of the path in view, the newest first unless asked otherwise."""
        query = read_query(ItemsQuery)
        _, path = await sessions.path(_owner(), conversation_id)
        items = [item for message in path for item in items_json(message)]
        return answer(items_page(items, query))

    @blueprint.get(_ITEM)
    @documented(_ITEM_DOC)
    async def get_item(conversation_id: str, item_id: str) -> Response:
        """Return one item, of whichever branch."""
        read_query(IncludeQuery)
        message = await sessions.message_of(_owner(), conversation_id, item_id)
        return answer(next(item for item in items_json(message) if item["id"] == item_id))

    @blueprint.delete(_ITEM)
    @documented(_GET_DOC)
    async def delete_item(conversation_id: str, item_id: str) -> Response:
        """Take one item out of a conversation."""
        session = await sessions.delete_item(_owner(), conversation_id, item_id)
        return answer(seen_json(await sessions.seen(session)))

    return blueprint


def _owner() -> str:
    return owner_of(request.scope)


async def _items(
    sessions: Sessions, wires: Sequence[InlineItem | ItemReferenceIn]
) -> Sequence[Item]:
    owner = _owner()
    return await read_items(wires, lambda item_id: sessions.item(owner, item_id))
