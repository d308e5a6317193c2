"""Conversations as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import orjson
from quart import Response

from frontend_api.domain.messages import Message
from frontend_api.domain.sessions import Found, Session
from frontend_api.service.sessions import SeenSession
from frontend_api.web.item_types import ItemStatus
from frontend_api.web.items_json import item_json

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
    """Return a message with its place in the tree."""
    run = message.run
    return {
        "id": message.id,
        "parent_id": message.parent_id,
        "created_at": int(message.created_at),
        "model": None if run is None else run.model,
        "status": "completed" if run is None else run.status,
        "is_deleted": message.is_deleted,
        "items": items_json(message),
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


def answer(document: Json) -> Response:
    """Return the document as the body of an answer."""
    return Response(orjson.dumps(document), mimetype="application/json")
