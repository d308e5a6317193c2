"""The events of a response as clients receive them, as strict types."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from frontend_api.web.answer_types import Answer, ErrorFields
from frontend_api.web.answer_types_responses import OutputItem, Response
from frontend_api.web.item_types import OutputText, ReasoningText


class _Numbered(Answer):
    """Any event; over a WebSocket it says whose it is."""

    sequence_number: int = Field(ge=0)
    response_id: str | None = Field(default=None, description="Over a WebSocket.")
    stream_id: str | None = Field(default=None, description="Over a WebSocket, if it was given.")


class ResponseEvent(_Numbered):
    """How the response stands; the last event is `completed`, `incomplete` or `failed`."""

    type: Literal[
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.completed",
        "response.incomplete",
        "response.failed",
    ]
    response: Response


class ItemEvent(_Numbered):
    """An item begins or is whole."""

    type: Literal["response.output_item.added", "response.output_item.done"]
    output_index: int
    item: OutputItem


class _InItem(_Numbered):
    item_id: str
    output_index: int


class PartEvent(_InItem):
    """A part of an item's content begins or is whole."""

    type: Literal["response.content_part.added", "response.content_part.done"]
    content_index: Literal[0]
    part: Annotated[OutputText | ReasoningText, Field(discriminator="type")]


class TextDelta(_InItem):
    """A piece of text."""

    type: Literal["response.output_text.delta"]
    content_index: Literal[0]
    delta: str
    logprobs: Annotated[list[object], Field(max_length=0)]


class TextDone(_InItem):
    """A whole text."""

    type: Literal["response.output_text.done"]
    content_index: Literal[0]
    text: str
    logprobs: Annotated[list[object], Field(max_length=0)]


class ReasoningDelta(_InItem):
    """A piece of what the model thinks."""

    type: Literal["response.reasoning_text.delta"]
    content_index: Literal[0]
    delta: str


class ReasoningDone(_InItem):
    """All of a thought."""

    type: Literal["response.reasoning_text.done"]
    content_index: Literal[0]
    text: str


class ArgumentsDelta(_InItem):
    """A piece of a call's arguments."""

    type: Literal["response.function_call_arguments.delta"]
    delta: str


class ArgumentsDone(_InItem):
    """All arguments of a call."""

    type: Literal["response.function_call_arguments.done"]
    name: str
    arguments: str


class ErrorEvent(_Numbered):
    """The stream cannot go on, though the response may; resume after the number."""

    type: Literal["error"]
    code: str | None
    message: str
    param: str | None


StreamEvent = Annotated[
    ResponseEvent
    | ItemEvent
    | PartEvent
    | TextDelta
    | TextDone
    | ReasoningDelta
    | ReasoningDone
    | ArgumentsDelta
    | ArgumentsDone
    | ErrorEvent,
    Field(discriminator="type"),
]


class SocketError(Answer):
    """A message that could not be done, or a response that could not be told to its end."""

    type: Literal["error"]
    status: int = Field(description="What the same request would have been answered with.")
    error: ErrorFields
    retry_after: int | None = Field(default=None, description="Seconds, as in the header.")
    event_id: str | None = None
    stream_id: str | None = None
    response_id: str | None = None


class Heartbeat(Answer):
    """The connection is alive."""

    type: Literal["heartbeat"]
    queued: dict[str, int] | None = Field(
        default=None,
        description="Places of this connection's responses in the line before the model, by id;"
        " 1 is next. Absent when none waits.",
    )
    tokens: dict[str, int] | None = Field(
        default=None,
        description="How many tokens of a response there are so far, by its id: about twice a"
        " second while it is made by the worker of this connection.",
    )


SocketEvent = StreamEvent | SocketError | Heartbeat
