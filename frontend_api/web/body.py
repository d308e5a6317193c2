"""Reads a request's JSON body into its wire type."""

from __future__ import annotations

from typing import Final, TypeVar

import orjson
from pydantic import ValidationError
from quart import request

from frontend_api.domain.errors import BadRequest
from frontend_api.web.validation import as_bad_request
from frontend_api.web.wire import Wire

# OpenAI's sentence; some clients look for it.
_NOT_JSON: Final = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
    "your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was "
    "not valid JSON.)"
)

WireType = TypeVar("WireType", bound=Wire)


async def read_body(kind: type[WireType]) -> WireType:
    """Return the checked body; raises BadRequest, or Quart's 413 and 408."""
    return parse_body(await request.get_data(cache=False, as_text=False), kind)


def parse_body(body: bytes | str, kind: type[WireType]) -> WireType:
    """Return the checked JSON object; raises BadRequest."""
    try:
        # Refuses NaN, invalid UTF-8, lone surrogates and more than 1,024 levels.
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise BadRequest(_NOT_JSON) from exc
    try:
        return kind.model_validate(parsed)
    except ValidationError as exc:
        raise as_bad_request(exc) from exc
