"""GET /sessions and /chat/history/{id} in the original service's dialect.

They are the same sessions as /v1/conversations, read along the path in view.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import orjson
from quart import Blueprint, Response, request

from frontend_api.domain.errors import Conflict, NotFound, StoreLost
from frontend_api.service.histories import Histories
from frontend_api.service.sessions import Sessions
from frontend_api.web.body import read_body
from frontend_api.web.documented import RouteDoc, documented
from frontend_api.web.original_answers import OriginalStatus, OriginalTurn
from frontend_api.web.original_models import TAG
from frontend_api.web.original_wire import RollbackIn
from frontend_api.web.owner import owner_of

_HISTORY: Final = "/chat/history/<session_id>"
_ROLLBACK_DOC: Final = RouteDoc(
    tag=TAG,
    body=RollbackIn,
    example={"amount": 2},
    answers={200: OriginalStatus},
    errors=(NotFound, Conflict, StoreLost),
)


def original_session_routes(sessions: Sessions, histories: Histories) -> Blueprint:
    """Return the routes that show sessions and change them."""
    blueprint = Blueprint("original_sessions", __name__)

    @blueprint.get("/sessions")
    @documented(RouteDoc(tag=TAG, answers={200: list[str]}, errors=(StoreLost,)))
    async def list_sessions() -> Response:
        """List the ids of all sessions."""
        return _json(await histories.ids(owner_of(request.scope)))

    @blueprint.get(_HISTORY)
    @documented(RouteDoc(tag=TAG, answers={200: list[OriginalTurn]}, errors=(NotFound, StoreLost)))
    async def get_history(session_id: str) -> Response:
        """Return the last turns of a session, the system's word first."""
        turns = await histories.turns(owner_of(request.scope), session_id)
        return _json([{"role": turn.role, "content": turn.text} for turn in turns])

    @blueprint.delete(_HISTORY)
    @documented(RouteDoc(tag=TAG, answers={204: None}, errors=(NotFound, StoreLost)))
    async def delete_history(session_id: str) -> Response:
        """Delete a session; what runs in it is stopped."""
        await sessions.delete(owner_of(request.scope), session_id)
        return Response("", status=HTTPStatus.NO_CONTENT)

    @blueprint.post(f"{_HISTORY}/rollback")
    @documented(_ROLLBACK_DOC)
    async def roll_back(session_id: str) -> Response:
        """Drop the last turns from view; the system's word stays."""
        wire = await read_body(RollbackIn)
        await histories.roll_back(owner_of(request.scope), session_id, wire.amount)
        return _json({"status": "ok"})

    return blueprint


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), mimetype="application/json")
