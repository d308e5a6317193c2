"""The messages that clients send over WS /v1/responses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from frontend_api.web.items_json import EventNumber, ItemId
from frontend_api.web.wire_base import Unsupported, Wire
from frontend_api.web.wire_responses import ResponseIn

# Chosen by the client; told again with what belongs to its message.
Name = Annotated[str, Field(min_length=1, max_length=128)]

# Ours: heartbeats between the deltas say how many tokens there are.
CountsTokens = Annotated[bool, Field(strict=True)]


class CreateIn(ResponseIn):
    """Begin a response; its events come over this connection."""

    type: Literal["response.create"]
    event_id: Name | None = None
    stream_id: Name | None = None
    count_tokens: CountsTokens = False
    generate: Unsupported = None


class CancelIn(Wire):
    """Stop a response, wherever it runs."""

    type: Literal["response.cancel"]
    response_id: ItemId
    event_id: Name | None = None


class ResumeIn(Wire):
    """Tell the events of a stored response after this number, and what follows."""

    type: Literal["response.resume"]
    response_id: ItemId
    starting_after: EventNumber | None = None
    event_id: Name | None = None
    stream_id: Name | None = None
    count_tokens: CountsTokens = False


SocketMessageIn = Annotated[CreateIn | CancelIn | ResumeIn, Field(discriminator="type")]
