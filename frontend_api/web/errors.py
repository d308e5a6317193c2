"""Errors as OpenAI's object, in a body or in a stream; the only place that renders them."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, Final, cast

import orjson
import structlog
from quart import Quart, Response, has_websocket_context, request, websocket
from quart.wrappers import Request, Websocket
from werkzeug.exceptions import HTTPException

from frontend_api.domain import sse
from frontend_api.domain.errors import (
    BadRequest,
    BodyTooLarge,
    BodyTooSlow,
    InternalFault,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    Unauthenticated,
)
from frontend_api.domain.keys import without_keys

_log = structlog.get_logger()
_MAX_SHOWN_URL = 200
_ERROR: Final = "conch.error"


def install_error_handlers(app: Quart) -> None:
    """Answer every failure of every route with the error object."""
    app.register_error_handler(ServiceError, _answer_service_error)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.register_error_handler(Exception, _answer_fault)


def error_event(error: ServiceError) -> bytes:
    """Return an error as an event of a stream that has already begun."""
    return sse.event(error_json(error))


def remember_error(scope: MutableMapping[str, Any], error: ServiceError) -> None:
    """Keep what a request or connection is answered with, for who looks at it afterwards."""
    scope[_ERROR] = error


def error_of(scope: Mapping[str, Any]) -> ServiceError | None:
    """Return the error that is answered; None: no error, or one inside a stream."""
    error = scope.get(_ERROR)
    return error if isinstance(error, ServiceError) else None


async def _answer_service_error(error: ServiceError) -> Response:
    asked: Request | Websocket = websocket if has_websocket_context() else request
    remember_error(cast(MutableMapping[str, Any], asked.scope), error)
    response = Response(error_json(error), status=error.status, mimetype="application/json")
    if error.retry_after_s is not None:
        response.headers["retry-after"] = str(error.retry_after_s)
    if isinstance(error, Unauthenticated):
        response.headers["www-authenticate"] = "Bearer"
    return response


async def _answer_http_exception(error: HTTPException) -> Response:
    response = await _answer_service_error(_as_service_error(error))
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["allow"] = ", ".join(sorted(allowed))
    return response


async def _answer_fault(error: Exception) -> Response:
    _log.error("request.fault", exc_info=error)
    return await _answer_service_error(
        InternalFault("The server had an error while processing your request. Please try again.")
    )


def _as_service_error(error: HTTPException) -> ServiceError:
    asked: Request | Websocket = websocket if has_websocket_context() else request
    url = f"{asked.method} {asked.path[:_MAX_SHOWN_URL]}"
    match error.code:
        case HTTPStatus.NOT_FOUND:
            return NotFound(f"Invalid URL ({url})")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return MethodNotAllowed(f"Not allowed to {asked.method} on {asked.path}")
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return BodyTooLarge("The request body is larger than this server allows.")
        case HTTPStatus.REQUEST_TIMEOUT:
            return BodyTooSlow("The request body did not arrive in time.")
        case _:
            return BadRequest(f"Invalid request ({url})")


def error_json(error: ServiceError) -> bytes:
    """Return the error object."""
    return orjson.dumps({"error": error_fields(error)})


def error_fields(error: ServiceError) -> Mapping[str, object]:
    """Return what the error object says."""
    return {
        # A client may have put its key where a name belongs.
        "message": without_keys(error.message),
        "type": error.type,
        "param": None if error.param is None else without_keys(error.param),
        "code": error.code,
        **error.extra,
    }
