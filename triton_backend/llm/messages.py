"""Chat messages as the template takes them.

Shapes follow OpenAI's chat messages. Content parts of type text are joined to one string, since
text templates know only strings; the arguments of a tool call become an object again, since
templates print them with `tojson`.
"""

import json
from typing import Final

from .errors import InvalidRequest
from .json_values import JsonObject, JsonValue, parse_json

ROLES: Final = ("system", "developer", "user", "assistant", "tool")
_PARAM: Final = "messages"


def parse_messages(text: str) -> tuple[JsonObject, ...]:
    """The messages of a JSON array; InvalidRequest says which message is wrong and why."""
    value = parse_json(text, _PARAM)
    if not isinstance(value, list):
        raise InvalidRequest("messages must be a JSON array.", param=_PARAM, code="invalid_type")
    if not value:
        raise InvalidRequest(
            "messages must hold at least one message.", param=_PARAM, code="empty_array"
        )
    return tuple(_read_message(item, index) for index, item in enumerate(value))


def _read_message(value: JsonValue, index: int) -> JsonObject:
    if not isinstance(value, dict):
        raise _wrong(index, "must be an object")
    role = value.get("role")
    if role not in ROLES:
        raise _wrong(index, f"must have a role out of {', '.join(ROLES)}")
    message = dict(value)
    message["content"] = _read_content(value.get("content"), index)
    calls = value.get("tool_calls")
    if calls is not None:
        message["tool_calls"] = _read_tool_calls(calls, index)
    elif message["content"] is None and role != "assistant":
        raise _wrong(index, "must have content")
    return message


def _read_content(value: JsonValue, index: int) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise _wrong(index, "must have a string or an array of parts as content")
    return "".join(_read_part(part, index) for part in value)


def _read_part(part: JsonValue, index: int) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    text = part.get("text") if isinstance(part, dict) else None
    if kind != "text":
        raise _wrong(index, f"has a content part of type {kind!r}; this model reads text only")
    if not isinstance(text, str):
        raise _wrong(index, "has a text part without text")
    return text


def _read_tool_calls(value: JsonValue, index: int) -> list[JsonValue]:
    if not isinstance(value, list):
        raise _wrong(index, "must have an array as tool_calls")
    return [_read_tool_call(call, index) for call in value]


def _read_tool_call(call: JsonValue, index: int) -> JsonObject:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict):
        raise _wrong(index, "has a tool call without a function")
    arguments = function.get("arguments")
    return call | {"function": function | {"arguments": _as_object(arguments)}}


def _as_object(arguments: JsonValue) -> JsonValue:
    """Parsed arguments when they are an object; anything else stays as the client wrote it."""
    if not isinstance(arguments, str):
        return arguments
    try:
        parsed: JsonValue = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    return parsed if isinstance(parsed, dict) else arguments


def _wrong(index: int, fault: str) -> InvalidRequest:
    return InvalidRequest(f"messages[{index}] {fault}.", param=_PARAM)
