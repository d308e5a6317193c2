"""Guides that xgrammar is given, by whichever engine: what is refused, and which grammar."""

from functools import lru_cache
from typing import Final

from .errors import InvalidRequest
from .json_grammar import UnsupportedSchemaError, schema_grammar
from .json_values import parse_json
from .request import Guide

MAX_GUIDE_CHARS: Final = 64 * 1024
GUIDE_PARAM: Final = "guided_decoding_guide"
_ANY_OBJECT: Final = '{"type":"object"}'


def refuse_long(guide: Guide) -> None:
    """Raise InvalidRequest for a guide that is too long to compile."""
    if len(guide.text) > MAX_GUIDE_CHARS:
        message = f"A guide may have at most {MAX_GUIDE_CHARS} characters."
        raise InvalidRequest(message, param=GUIDE_PARAM, code="string_above_max_length")


def schema_of(guide: Guide) -> str:
    """The JSON schema of a guide of kind "json" or "json_schema"."""
    return _ANY_OBJECT if guide.kind == "json" else guide.text


@lru_cache(maxsize=256)
def grammar_of(schema: str) -> str | None:
    """The schema's grammar, None for xgrammar's own; InvalidRequest when there is none."""
    try:
        return schema_grammar(parse_json(schema, GUIDE_PARAM))
    except (UnsupportedSchemaError, RecursionError) as error:
        message = f"The JSON schema cannot be used: {error}."
        raise InvalidRequest(message, param=GUIDE_PARAM) from error
