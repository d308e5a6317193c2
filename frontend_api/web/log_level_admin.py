"""/admin/log-level: which lines the workers of this server write."""

from __future__ import annotations

from typing import Final, Literal

import orjson
from quart import Blueprint, Response

from frontend_api.service.log_level import LogLevel
from frontend_api.web.answer_types import Answer
from frontend_api.web.body import read_body
from frontend_api.web.documented import RouteDoc, documented
from frontend_api.web.wire_base import Wire

_PATH: Final = "/admin/log-level"
Level = Literal["debug", "info", "warning", "error"]


class LogLevelIn(Wire):
    """From which level on lines are to be written."""

    level: Level


class LogLevelAnswer(Answer):
    """From which level on lines are written."""

    object: Literal["log_level"]
    level: str


_GET_DOC: Final = RouteDoc(tag="Status", answers={200: LogLevelAnswer})
_PUT_DOC: Final = RouteDoc(
    tag="Status", body=LogLevelIn, example={"level": "info"}, answers={200: LogLevelAnswer}
)


def log_level_routes(log_level: LogLevel) -> Blueprint:
    """Return the routes."""
    blueprint = Blueprint("admin_log_level", __name__)

    @blueprint.get(_PATH)
    @documented(_GET_DOC)
    async def get_log_level() -> Response:
        """Say from which level on lines of the log are written."""
        return _answer(log_level)

    @blueprint.put(_PATH)
    @documented(_PUT_DOC)
    async def change_log_level() -> Response:
        """Change it until the next start, in every worker of this server within a second."""
        log_level.change((await read_body(LogLevelIn)).level)
        return _answer(log_level)

    return blueprint


def _answer(log_level: LogLevel) -> Response:
    document = {"object": "log_level", "level": log_level.now}
    return Response(orjson.dumps(document), mimetype="application/json")
