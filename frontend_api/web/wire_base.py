"""What every wire type is made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from frontend_api.domain.sessions import MAX_ID_CHARS
from frontend_api.web.validation import not_supported, refused

JsonTree = TypeVar("JsonTree")

# orjson writes 254 levels, and a tool's schema is written inside others.
_MAX_DEPTH: Final = 100
# /v1/conversations/{id} of these is another route, or another path to any client.
_NO_SESSION_IDS: Final = frozenset({"search", "import", ".", ".."})


class Wire(BaseModel):
    """A JSON object of a request: exact types, no unknown field."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _refuse(value: object) -> None:
    if value is not None and value is not False:
        raise not_supported()


# A field of OpenAI's that cannot be served: refused by name unless null or false.
Unsupported = Annotated[
    None, BeforeValidator(_refuse, json_schema_input_type=Literal[False] | None)
]


def _check_depth(value: JsonTree) -> JsonTree:
    level: list[object] = [value]
    for _ in range(_MAX_DEPTH):
        level = [below for item in level for below in _children(item)]
        if not level:
            return value
    raise refused(
        f"Invalid '{{param}}': it is nested more than {_MAX_DEPTH} levels deep.", "invalid_value"
    )


def _children(item: object) -> Iterable[object]:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list) else ()


# Any JSON object that can be written again: encoders and validators have bounds of their own.
JsonObject = Annotated[dict[str, object], AfterValidator(_check_depth)]


def _check_address(session_id: str) -> str:
    if session_id in _NO_SESSION_IDS:
        raise refused(
            f"Invalid '{{param}}': a session named '{session_id}' would have no address of its own."
            " Choose another id.",
            "invalid_value",
        )
    return session_id


# What a client makes up for a session; nothing that an address could take for something else.
SessionId = Annotated[
    str,
    Field(max_length=MAX_ID_CHARS, pattern=r"^[A-Za-z0-9._:@~+-]+$"),
    AfterValidator(_check_address),
]


class TextPart(Wire):
    """A piece of text inside a message."""

    type: Literal["text"]
    text: str
