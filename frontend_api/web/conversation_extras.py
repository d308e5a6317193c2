"""What OpenAI's conversations lack: search, branches, forks, documents out and in."""

from __future__ import annotations

import asyncio
from typing import Final

import orjson
from quart import Blueprint, Response, request

from frontend_api.domain.drafts import Draft
from frontend_api.domain.errors import BadRequest, Conflict, LimitReached, NotFound, StoreLost
from frontend_api.domain.export import export_json, export_markdown
from frontend_api.service.copies import Copies
from frontend_api.service.sessions import Sessions
from frontend_api.web.body import read_body
from frontend_api.web.conversation_json import (
    answer,
    conversation_json,
    match_json,
    seen_json,
    tree_message_json,
)
from frontend_api.web.conversation_types import (
    Conversation,
    ConversationTree,
    ImportAnswer,
    MatchList,
)
from frontend_api.web.conversations import ONE, TAG
from frontend_api.web.documented import RouteDoc, documented
from frontend_api.web.owner import owner_of
from frontend_api.web.query import read_query
from frontend_api.web.wire_conversations import ExportQuery, ForkIn, HeadMoveIn, SearchQuery
from frontend_api.web.wire_import import (
    ExportedConversationIn,
    ImportedConversation,
    parse_import,
)

IMPORT_PATH: Final = "/v1/conversations/import"
_SEARCH_DOC: Final = RouteDoc(
    tag=TAG, query=SearchQuery, answers={200: MatchList}, errors=(StoreLost,)
)
_TREE_DOC: Final = RouteDoc(tag=TAG, answers={200: ConversationTree}, errors=(NotFound, StoreLost))
_HEAD_DOC: Final = RouteDoc(
    tag=TAG,
    body=HeadMoveIn,
    example={"message_id": None},
    answers={200: Conversation},
    errors=(NotFound, Conflict, StoreLost),
)
_FORK_DOC: Final = RouteDoc(
    tag=TAG,
    body=ForkIn,
    example={},
    answers={200: Conversation},
    errors=(NotFound, Conflict, LimitReached, StoreLost),
    is_idempotent=True,
)
_EXPORT_DOC: Final = RouteDoc(
    tag=TAG,
    query=ExportQuery,
    answers={200: ExportedConversationIn},
    media={"text/markdown": str},
    errors=(NotFound, StoreLost),
)
_IMPORT_DOC: Final = RouteDoc(
    tag=TAG,
    body=ImportedConversation | list[ImportedConversation],
    example={
        "title": "Greeting",
        "create_time": 1_795_357_756.0,
        "mapping": {
            "a": {
                "message": {
                    "author": {"role": "user"},
                    "content": {"content_type": "text", "parts": ["Hello"]},
                }
            }
        },
    },
    answers={200: ImportAnswer},
    errors=(BadRequest, LimitReached, StoreLost),
    is_idempotent=True,
)


def conversation_branch_routes(sessions: Sessions, copies: Copies) -> Blueprint:
    """Return the routes that show the tree and choose a path in it."""
    blueprint = Blueprint("conversation_branches", __name__)

    @blueprint.get(f"{ONE}/tree")
    @documented(_TREE_DOC)
    async def get_tree(conversation_id: str) -> Response:
        """Return all messages of a conversation with their parents."""
        session, messages = await sessions.tree(owner_of(request.scope), conversation_id)
        return answer(
            {
                "id": session.id,
                "object": "conversation.tree",
                "head": session.head,
                "data": [tree_message_json(message) for message in messages],
            }
        )

    @blueprint.post(f"{ONE}/head")
    @documented(_HEAD_DOC)
    async def move_head(conversation_id: str) -> Response:
        """Show the path to another message."""
        wire = await read_body(HeadMoveIn)
        session = await sessions.move_head(
            owner_of(request.scope), conversation_id, wire.message_id, wire.expected_head
        )
        return answer(seen_json(await sessions.seen(session)))

    @blueprint.post(f"{ONE}/fork")
    @documented(_FORK_DOC)
    async def fork(conversation_id: str) -> Response:
        """Copy the path to a message into a conversation of its own."""
        wire = await read_body(ForkIn)
        session = await copies.fork(owner_of(request.scope), conversation_id, wire.message_id)
        return answer(conversation_json(session))

    return blueprint


def conversation_search_routes(sessions: Sessions) -> Blueprint:
    """Return the route that finds conversations."""
    blueprint = Blueprint("conversation_search", __name__)

    @blueprint.get("/v1/conversations/search")
    @documented(_SEARCH_DOC)
    async def search() -> Response:
        """Find messages that hold a text, whatever its case, the newest first."""
        query = read_query(SearchQuery)
        found = await sessions.search(owner_of(request.scope), query.q, query.limit)
        matches = [match_json(session, match) for session, match in found]
        return answer({"object": "list", "data": matches})

    return blueprint


def conversation_copy_routes(copies: Copies) -> Blueprint:
    """Return the routes that carry conversations out and in."""
    blueprint = Blueprint("conversation_copies", __name__)

    @blueprint.get(f"{ONE}/export")
    @documented(_EXPORT_DOC)
    async def export(conversation_id: str) -> Response:
        """Return a conversation as a document: JSON of all branches, or Markdown of the view."""
        is_json = read_query(ExportQuery).format == "json"
        draft = await copies.export(owner_of(request.scope), conversation_id)
        return _document(draft) if is_json else _page(draft)

    @blueprint.post(IMPORT_PATH)
    @documented(_IMPORT_DOC)
    async def import_conversations() -> Response:
        """Store conversations of our own export, or of ChatGPT's; one, or a list of them."""
        body = await request.get_data(cache=False, as_text=False)
        # Megabytes take a moment: streams go on meanwhile.
        drafts = await asyncio.to_thread(parse_import, body)
        imported = await copies.take_in(owner_of(request.scope), drafts)
        refused = [
            {"index": number, "code": error.code, "message": error.message}
            for number, error in imported.refused
        ]
        made = [conversation_json(session) for session in imported.sessions]
        return answer({"object": "list", "data": made, "refused": refused})

    return blueprint


def _document(draft: Draft) -> Response:
    return _file(orjson.dumps(export_json(draft)), "application/json", "json")


def _page(draft: Draft) -> Response:
    return _file(export_markdown(draft).encode(), "text/markdown", "md")


def _file(body: bytes, kind: str, suffix: str) -> Response:
    name = f'attachment; filename="conversation.{suffix}"'
    return Response(body, mimetype=kind, headers={"content-disposition": name})
