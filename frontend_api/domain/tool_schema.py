"""JSON schemas that leave a model no other answer than a tool call.

A function's own schema may point into itself (`#/$defs/City`). Inside a larger schema it lives
under `#/$defs/<function name>`, so its pointers are moved there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from frontend_api.domain.call_reader import ARGUMENTS, NAME

Schema = Mapping[str, object]

# A bound for models that would go on calling for ever.
MAX_FORCED_CALLS: Final = 16
_ANY_OBJECT: Final[Schema] = {"type": "object"}


def named_schema(parameters: Schema | None) -> str:
    """Return the schema of the arguments of one call."""
    return json.dumps(_arguments(parameters))


def required_schema(tools: Mapping[str, Schema | None], *, is_parallel: bool) -> str:
    """Return the schema of one call of any of these functions, or of an array of such calls."""
    calls = {"anyOf": [_call_schema(name) for name in tools]}
    root = (
        {"type": "array", "minItems": 1, "maxItems": MAX_FORCED_CALLS, "items": calls}
        if is_parallel
        else calls
    )
    places = {name: _moved(_arguments(p), f"#/$defs/{name}") for name, p in tools.items()}
    return json.dumps({**root, "$defs": places})


def _arguments(parameters: Schema | None) -> Schema:
    return {**_ANY_OBJECT, **(parameters or {})}


def _call_schema(name: str) -> Schema:
    return {
        "type": "object",
        "properties": {NAME: {"const": name}, ARGUMENTS: {"$ref": f"#/$defs/{name}"}},
        "required": [NAME, ARGUMENTS],
        "additionalProperties": False,
    }


def _moved(value: object, place: str) -> object:
    """Return the schema with every pointer into itself pointing into `place`."""
    if isinstance(value, list):
        return [_moved(item, place) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: place + item[1:]
        if key == "$ref" and isinstance(item, str) and item.startswith("#")
        else _moved(item, place)
        for key, item in value.items()
    }
