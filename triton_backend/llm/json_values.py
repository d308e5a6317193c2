"""JSON as types, and reading it from a client without surprises."""

import json
from typing import TypeAlias

from .errors import InvalidRequest

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]


def parse_json(text: str, param: str) -> JsonValue:
    """The value of a client's JSON text; InvalidRequest when it is not JSON or nested too deep."""
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise InvalidRequest("The JSON is nested too deeply.", param=param) from None
    except ValueError as error:
        message = f"The value is not valid JSON: {error}."
        raise InvalidRequest(message, param=param) from error
    return value


def _refuse_constant(name: str) -> JsonValue:
    # RFC 8259 section 6: NaN and Infinity are not JSON; Python's reader takes them by default.
    raise ValueError(f"{name} is not allowed")
