"""Conversations as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import orjson
from quart import Response

from frontend_api.domain.errors import NotFound
from frontend_api.domain.messages import Message
from frontend_api.domain.sessions import Found, Session
from frontend_api.service.sessions import SeenSession
from frontend_api.web.item_types import ItemStatus
from frontend_api.web.items_json import item_json
from frontend_api.web.response_json import ending_json
from frontend_api.web.wire_conversations import ItemsQuery

Json: TypeAlias = Mapping[str, object]


def conversation_json(session: Session, *, is_running: bool = False) -> Json:
    """Return a conversation as OpenAI writes it, with what else is known of it."""
    return {
        "id": session.id,
        "object": "conversation",
        "created_at": int(session.created_at),
        "metadata": dict(session.metadata),
        "x_conch": {
            "title": session.title,
            "title_source": session.title_source,
            "is_pinned": session.is_pinned,
            "updated_at": int(session.updated_at),
            "head": session.head,
            "num_messages": session.num_messages,
            "is_running": is_running,
        },
    }


def seen_json(seen: SeenSession) -> Json:
    """Return a conversation and whether something is going on in it."""
    return conversation_json(seen.session, is_running=seen.is_running)


def items_json(message: Message) -> Sequence[Json]:
    """Return a message's items; the last of an answer that is not whole says so."""
    items = message.items
    statuses: list[ItemStatus] = ["completed"] * len(items)
    if statuses and message.run is not None and message.run.status != "completed":
        statuses[-1] = "in_progress" if message.run.is_running else "incomplete"
    return [
        item_json(item_id, item, status)
        for (item_id, item), status in zip(items, statuses, strict=True)
    ]


def tree_message_json(message: Message) -> Json:
    """Return a message with its place in the tree, and what is told of a response that it is."""
    run = message.run
    settings = {} if run is None else orjson.loads(run.settings)
    return {
        "id": message.id,
        "parent_id": message.parent_id,
        "created_at": int(message.created_at),
        "model": None if run is None else run.model,
        "status": "completed" if run is None else run.status,
        "is_deleted": message.is_deleted,
        "items": items_json(message),
        "settings": settings,
        "num_dropped": 0 if run is None else run.num_dropped,
        **ending_json(None if run is None else run.ending),
    }


def match_json(session: Session | None, match: Found) -> Json:
    """Return a message that holds what was searched for, with the title it is listed under."""
    return {
        "object": "conversation.match",
        "conversation_id": match.session_id,
        "title": "" if session is None else session.title,
        "message_id": match.message_id,
        "excerpt": match.excerpt,
    }


def list_json(documents: Sequence[Json], *, has_more: bool) -> Json:
    """Return a page of things that have ids."""
    ids = [document["id"] for document in documents] or [""]
    return {
        "object": "list",
        "data": documents,
        "first_id": ids[0],
        "last_id": ids[-1],
        "has_more": has_more,
    }


def items_page(items: Sequence[Json], query: ItemsQuery) -> Json:
    """Return the page that is asked for of items, the oldest of which comes first."""
    ordered = items if query.order == "asc" else items[::-1]
    first = 0
    if query.after is not None:
        ids = [item["id"] for item in ordered]
        if query.after not in ids:
            raise NotFound(f"Item with id '{query.after}' not found.", param="after")
        first = ids.index(query.after) + 1
    page = ordered[first : first + query.limit]
    return list_json(page, has_more=first + query.limit < len(ordered))


def answer(document: Json) -> Response:
    """Return the document as the body of an answer."""
    return Response(orjson.dumps(document), mimetype="application/json")
