"""What goes into the audit of HTTP requests and handshakes, and GET /admin/audit to read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Final, Literal, cast

import orjson
from pydantic import Field
from quart import Blueprint, Quart, Response, request, websocket
from quart.typing import ResponseTypes

from frontend_api.domain.audit import AuditEntry, AuditFilter
from frontend_api.domain.errors import (
    Forbidden,
    NotFound,
    ServiceError,
    StoreLost,
    TooManyRequests,
    Unauthenticated,
)
from frontend_api.service.audit import DONE, REFUSED, Audit, Happening
from frontend_api.settings import Settings
from frontend_api.web.access import access_to
from frontend_api.web.addresses import Network, client_address, networks
from frontend_api.web.answer_types import Answer
from frontend_api.web.documented import RouteDoc, documented
from frontend_api.web.errors import error_of
from frontend_api.web.owner import KEY_ID_KEY
from frontend_api.web.query import Query, read_query
from frontend_api.web.scope import Scope, record_of

TAG: Final = "Audit"
# What the gates refuse they note themselves: it comes on sockets as well.
_REFUSALS: Final = (Unauthenticated, Forbidden, TooManyRequests)
_FIRST_ERROR: Final = 400
_Page = Annotated[int, Field(ge=1, le=1000)]


class AuditQuery(Query):
    """Which entries."""

    after: str | None = None
    limit: _Page = 100
    actor: str | None = Field(default=None, description="Only what this key or address did.")
    action: str | None = Field(default=None, description="Only this, as `request.refused`.")


class AuditEntryAnswer(Answer):
    """One thing that happened, or several equal ones within a second."""

    id: str
    object: Literal["admin.audit_entry"]
    at: float = Field(description="Seconds since 1970, of the first of them.")
    actor: str = Field(description="A key's id; without a key the address.")
    action: str = Field(
        description="An admin route, as `admin_keys.create_key`; `request.refused`,"
        " `answer.refused`."
    )
    subject: str = Field(description="What it was done to: a key, a model, a route, a rule.")
    outcome: str = Field(description="`done`, or the code of the error.")
    request_id: str = Field(description="Of the first of them, if it is known.")
    address: str
    count: int = Field(description="How many equal ones this stands for.")


class AuditList(Answer):
    """Some entries, the newest first."""

    object: Literal["list"]
    data: list[AuditEntryAnswer]
    first_id: str | None
    last_id: str | None
    has_more: bool


_DOC: Final = RouteDoc(
    tag=TAG, query=AuditQuery, answers={200: AuditList}, errors=(NotFound, StoreLost)
)


def audit_routes(audit: Audit) -> Blueprint:
    """Return the route."""
    blueprint = Blueprint("admin_audit", __name__)

    @blueprint.get("/admin/audit")
    @documented(_DOC)
    async def list_entries() -> Response:
        """List admin calls and refusals, the newest first."""
        query = read_query(AuditQuery)
        wanted = AuditFilter(query.actor, query.action)
        page = await audit.page(wanted, after=query.after, limit=query.limit)
        ids = [entry.id for entry in page.entries]
        document = {
            "object": "list",
            "data": [_entry_json(entry) for entry in page.entries],
            "first_id": ids[0] if ids else None,
            "last_id": ids[-1] if ids else None,
            "has_more": page.has_more,
        }
        return Response(orjson.dumps(document), mimetype="application/json")

    return blueprint


def install_audit(app: Quart, audit: Audit, settings: Settings) -> None:
    """Note every admin call, and who is turned away."""
    trusted = networks(settings.security.trusted_proxies)

    @app.after_request
    async def note_request(response: Response) -> Response:
        scope = cast(Scope, request.scope)
        error, endpoint = error_of(scope), request.endpoint
        is_admin = endpoint is not None and access_to(endpoint) == "admin"
        if isinstance(error, _REFUSALS) or is_admin:
            audit.note(await _happening(error, response, trusted), record_of(scope).id)
        return response

    @app.after_websocket
    async def note_handshake(response: ResponseTypes | None) -> ResponseTypes | None:
        scope = cast(Scope, websocket.scope)
        error = error_of(scope)
        if isinstance(error, _REFUSALS):
            address = client_address(scope, trusted)
            rule = websocket.url_rule
            route = "unknown" if rule is None else rule.rule
            audit.note(_refusal(error, scope.get(KEY_ID_KEY) or address, route, address))
        return response


async def _happening(
    error: ServiceError | None, response: Response, trusted: Sequence[Network]
) -> Happening:
    """Return what this request was: a refusal, or an admin call."""
    scope = cast(Scope, request.scope)
    address, record = client_address(scope, trusted), record_of(scope)
    actor = record.key_id or address
    if isinstance(error, _REFUSALS):
        return _refusal(error, actor, record.route, address)
    is_done = response.status_code < _FIRST_ERROR
    code = "" if error is None else error.code
    return Happening(
        actor=actor,
        action=request.endpoint or "",
        subject=await _subject(response),
        outcome=DONE if is_done else code or str(response.status_code),
        address=address,
    )


def _refusal(error: ServiceError, actor: str, route: str, address: str) -> Happening:
    return Happening(
        actor=actor,
        action=REFUSED,
        outcome=error.code or "api_key_required",
        subject=route,
        address=address,
    )


async def _subject(response: Response) -> str:
    """Return what an admin call was about: what its address names, else what it has made."""
    named = next(iter((request.view_args or {}).values()), None)
    if named is not None or request.method != "POST" or response.mimetype != "application/json":
        return str(named or "")
    made = orjson.loads(await response.get_data(as_text=False))
    return str(made.get("id", "")) if isinstance(made, Mapping) else ""


def _entry_json(entry: AuditEntry) -> Mapping[str, object]:
    return {"object": "admin.audit_entry", **asdict(entry)}
