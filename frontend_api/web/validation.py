"""pydantic's findings in OpenAI's words: one table from kind of finding to message and code.

`param` is a path as OpenAI writes it: `messages[2].content`. Tags of union branches,
written `<…>` in the wire types, are no part of the path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from frontend_api.domain.errors import BadRequest, UnsupportedParameter

_MAX_SHOWN: Final = 64


MISSING: Final = "Missing required parameter: '{param}'."


def refused(message: str, code: str | None, at: str = "") -> PydanticCustomError:
    """Return what a validator raises to refuse a value in its own words.

    at: the place inside the value, as `role` or `[2].role`. `{param}` in the message is replaced
    by the whole path.
    """
    context = {"message": message, "code": code, "at": at}
    return PydanticCustomError("refused", "{message}", context)


def wrong_type(expected: str) -> PydanticCustomError:
    """Return what a validator raises for a value that is not of the `expected` types."""
    return PydanticCustomError("wrong_type", "expected {expected}", {"expected": expected})


def not_supported() -> PydanticCustomError:
    """Return what a validator raises for a field of OpenAI's that no model here can serve."""
    return PydanticCustomError("not_supported", "not supported")


def as_bad_request(error: ValidationError) -> BadRequest:
    """Return the first finding as the error that a client of OpenAI expects."""
    finding = error.errors(include_url=False)[0]
    param = _path(finding["loc"])
    if finding["type"] == "refused":
        return _refused(finding, param)
    if finding["type"] in ("missing", "string_type") and param == "model":
        return BadRequest("you must provide a model parameter")
    if not param:
        return _wants("an object", finding, "the request body")
    return _TABLE.get(finding["type"], _invalid_value)(finding, param)


def _path(loc: Sequence[int | str]) -> str:
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.startswith("<"):
            path += f".{part}" if path else part
    return path


def _wants(expected: str, finding: ErrorDetails, param: str) -> BadRequest:
    shown = param if param == "the request body" else f"'{param}'"
    return BadRequest(
        f"Invalid type for {shown}: expected {expected}, "
        f"but got {_kind_of(finding['input'])} instead.",
        param=None if param == "the request body" else param,
        code="invalid_type",
    )


def _array(param: str) -> str:
    return "an array of objects" if param == "messages" else "an array"


def _wants_one_of(finding: ErrorDetails, param: str) -> BadRequest:
    return _wants(f"one of {finding['ctx']['expected']}", finding, param)


def _bounded(bound: str, sign: str, finding: ErrorDetails, param: str) -> BadRequest:
    limit = next(iter(finding["ctx"].values()))
    # The bound has the field's type: an integer sent for a decimal is still a decimal's error.
    number = "decimal" if isinstance(limit, float) else "integer"
    shown = int(limit) if limit == int(limit) else limit
    side, _, extreme = bound.partition(" ")
    return BadRequest(
        f"Invalid '{param}': {number} {bound} value. "
        f"Expected a value {sign} {shown}, but got {finding['input']} instead.",
        param=param,
        code=f"{number}_{side}_{extreme[:3]}_value",
    )


def _missing(finding: ErrorDetails, param: str) -> BadRequest:
    return BadRequest(
        f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )


def _unknown(finding: ErrorDetails, param: str) -> BadRequest:
    return BadRequest(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")


def _unsupported(finding: ErrorDetails, param: str) -> BadRequest:
    if param.endswith("]"):
        message = f"'{param}' does not support {_shown(finding['input'])} with this model."
        return UnsupportedParameter(f"Unsupported value: {message}", param=param)
    return UnsupportedParameter(
        f"Unsupported parameter: '{param}' is not supported with this model.", param=param
    )


def _not_allowed(finding: ErrorDetails, param: str) -> BadRequest:
    return BadRequest(
        f"Invalid value: {_shown(finding['input'])}. "
        f"Supported values are: {_listed(finding['ctx']['expected'])}.",
        param=param,
        code="invalid_value",
    )


def _too_short(finding: ErrorDetails, param: str) -> BadRequest:
    what = "string" if isinstance(finding["input"], str) else "array"
    return BadRequest(
        f"Invalid '{param}': empty {what}. Expected {_article(what)} with minimum length "
        f"{finding['ctx']['min_length']}, but got an empty {what} instead.",
        param=param,
        code=f"empty_{what}",
    )


def _too_long(finding: ErrorDetails, param: str) -> BadRequest:
    what = "string" if isinstance(finding["input"], str) else "array"
    return BadRequest(
        f"Invalid '{param}': {what} too long. Expected {_article(what)} with maximum length "
        f"{finding['ctx']['max_length']}, but got {_article(what)} with length "
        f"{len(finding['input'])} instead.",
        param=param,
        code=f"{what}_above_max_length",
    )


def _refused(finding: ErrorDetails, param: str) -> BadRequest:
    context = finding["ctx"]
    at: str = context["at"]
    path = f"{param}.{at}" if param and at and not at.startswith("[") else param + at
    kind = UnsupportedParameter if context["code"] == "unsupported_parameter" else BadRequest
    return kind(finding["msg"].replace("{param}", path), param=path or None, code=context["code"])


def _bad_pattern(finding: ErrorDetails, param: str) -> BadRequest:
    return BadRequest(
        f"Invalid '{param}': string does not match pattern. Expected a string that matches the "
        f"pattern '{finding['ctx']['pattern']}'.",
        param=param,
        code="invalid_value",
    )


def _invalid_value(finding: ErrorDetails, param: str) -> BadRequest:
    return BadRequest(f"Invalid value for '{param}'.", param=param, code="invalid_value")


_TABLE: Final[Mapping[str, Callable[[ErrorDetails, str], BadRequest]]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "string_type": partial(_wants, "a string"),
    "int_type": partial(_wants, "an integer"),
    "int_from_float": partial(_wants, "an integer"),
    "int_parsing": partial(_wants, "an integer"),
    "bool_parsing": partial(_wants, "a boolean"),
    "float_type": partial(_wants, "a decimal"),
    "bool_type": partial(_wants, "a boolean"),
    "list_type": lambda finding, param: _wants(_array(param), finding, param),
    "model_type": partial(_wants, "an object"),
    "dict_type": partial(_wants, "an object"),
    "wrong_type": _wants_one_of,
    "greater_than": partial(_bounded, "below minimum", ">"),
    "greater_than_equal": partial(_bounded, "below minimum", ">="),
    "less_than": partial(_bounded, "above maximum", "<"),
    "less_than_equal": partial(_bounded, "above maximum", "<="),
    "literal_error": _not_allowed,
    "string_too_short": _too_short,
    "too_short": _too_short,
    "string_too_long": _too_long,
    "too_long": _too_long,
    "string_pattern_mismatch": _bad_pattern,
    "not_supported": _unsupported,
}


# A bool is an int to Python, so it comes first.
_KINDS: Final[Sequence[tuple[type | tuple[type, ...], str]]] = (
    (type(None), "null"),
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a decimal"),
    (str, "a string"),
    ((list, tuple), "an array"),
)


def _kind_of(value: object) -> str:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "an object")


def _article(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


def _shown(value: object) -> str:
    text = f"'{value}'" if isinstance(value, str) else _kind_of(value)
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…'"


def _listed(expected: str) -> str:
    """pydantic joins with `or`, OpenAI with `, and`."""
    *most, last = expected.replace(" or ", ", ").split(", ")
    if not most:
        return last
    comma = "," if len(most) > 1 else ""
    return f"{', '.join(most)}{comma} and {last}"
