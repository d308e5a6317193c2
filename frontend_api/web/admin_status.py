"""GET /admin/status: how the server is, as JSON or, for browsers, as a plain page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import orjson
from quart import Blueprint, Response, render_template, request

from frontend_api.service.status import ServerStatus, Status
from frontend_api.web.documented import RouteDoc, documented
from frontend_api.web.models import model_json
from frontend_api.web.openapi import VERSION
from frontend_api.web.status_types import ServerStatusAnswer

_JSON: Final = "application/json"
_PAGE: Final = "text/html"
_DOC: Final = RouteDoc(tag="Status", answers={200: ServerStatusAnswer}, media={_PAGE: str})


def admin_status_routes(status: ServerStatus) -> Blueprint:
    """Return the route."""
    blueprint = Blueprint("admin_status", __name__, template_folder="static")

    @blueprint.get("/admin/status")
    @documented(_DOC)
    async def get_status() -> Response:
        """Show how the server is: models, queue, keys, store and versions.

        Who prefers `text/html`, as browsers do, gets a page.
        """
        document = _document(await status.now())
        if request.accept_mimetypes.best_match([_JSON, _PAGE]) == _PAGE:
            page = await render_template("status.html", status=document)
            answer = Response(page, mimetype=_PAGE)
        else:
            answer = Response(orjson.dumps(document), mimetype=_JSON)
        answer.headers["cache-control"] = "no-store"
        answer.headers["vary"] = "accept"
        return answer

    return blueprint


def _document(status: Status) -> Mapping[str, object]:
    return {
        "object": "server.status",
        "timestamp": datetime.fromtimestamp(status.at, UTC).isoformat(),
        "uptime": round(status.uptime_s, 3),
        "ready": status.readiness.is_ready,
        "reason": status.readiness.reason or None,
        "models": [model_json(model) for model in status.models],
        "queue": [
            {"model": work.model, "running": work.num_running, "waiting": work.num_waiting}
            for work in status.work
        ],
        "store": {
            "state": "ok" if status.store_answers else "unavailable",
            "writes_waiting": status.num_writes_waiting,
        },
        "keys": status.keys,
        "versions": {"conch": VERSION, **status.versions},
    }
