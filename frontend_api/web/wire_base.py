"""What every wire type is made of."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from frontend_api.domain.sessions import MAX_ID_CHARS
from frontend_api.web.validation import not_supported, refused

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


# Any JSON object; how deep it may be is a rule about whole bodies.
JsonObject = dict[str, object]


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
