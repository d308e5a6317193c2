"""Reads a request's JSON body into its wire type."""

from __future__ import annotations

from typing import Final, TypeVar, cast

import orjson
from pydantic import ValidationError
from quart import current_app, request

from frontend_api.domain.errors import BadRequest
from frontend_api.web.validation import as_bad_request
from frontend_api.web.wire import Wire

# OpenAI's sentence; some clients look for it.
NOT_JSON: Final = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
    "your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was "
    "not valid JSON.)"
)

# JSON schemas of tools nest some twenty levels.
MAX_DEPTH: Final = 100
DEFAULT_MODEL_KEY: Final = "DEFAULT_MODEL"
_NESTING: Final = frozenset({dict, list})

WireType = TypeVar("WireType", bound=Wire)


async def read_body(kind: type[WireType]) -> WireType:
    """Return the checked body; raises BadRequest, or Quart's 413 and 408."""
    # No body is no field: where none is required, there is nothing to send.
    return parse_body(await request.get_data(cache=False, as_text=False) or b"{}", kind)


def parse_body(body: bytes | str, kind: type[WireType]) -> WireType:
    """Return the checked JSON object; raises BadRequest."""
    return checked(parse_json(body), kind)


def parse_json(body: bytes | str) -> object:
    """Return what the JSON says; raises BadRequest."""
    try:
        # Refuses NaN, invalid UTF-8, lone surrogates and more than 1,024 levels.
        value = cast(object, orjson.loads(body))
    except orjson.JSONDecodeError as exc:
        raise BadRequest(NOT_JSON) from exc
    if _may_be_deep(body) and _is_deep(value):
        raise BadRequest(
            f"The JSON is nested more than {MAX_DEPTH} levels deep.", code="json_too_deep"
        )
    return value


def _may_be_deep(body: bytes | str) -> bool:
    """Return whether there are brackets enough for it, be they in texts; most bodies have few."""
    text = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    return text.count(b"[") + text.count(b"{") > MAX_DEPTH


def _is_deep(value: object) -> bool:
    """Return whether it has too many levels; looks at lists and objects only, level by level."""
    level = [value] if type(value) in _NESTING else []
    for _ in range(MAX_DEPTH):
        if not level:
            return False
        level = [
            child
            for parent in level
            for child in (
                parent.values() if isinstance(parent, dict) else cast(list[object], parent)
            )
            if child and type(child) in _NESTING
        ]
    return bool(level)


def checked(value: object, kind: type[WireType]) -> WireType:
    """Return the JSON value as its wire type; raises BadRequest."""
    try:
        return kind.model_validate(_with_model(value, kind))
    except ValidationError as exc:
        raise as_bad_request(exc) from exc


def _with_model(value: object, kind: type[WireType]) -> object:
    """Return it with the model of [models] default, if there is one and it names none."""
    field = kind.model_fields.get("model") or kind.model_fields.get("model_name")
    if field is None or not field.is_required() or not isinstance(value, dict):
        return value
    default = current_app.config[DEFAULT_MODEL_KEY]
    return {field.alias or "model": default, **value} if default else value
