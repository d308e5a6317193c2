"""Responses as clients receive them, as strict types; their events are in `answer_types_events`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from frontend_api.web.answer_types import Answer
from frontend_api.web.answer_types_completion import Timing
from frontend_api.web.item_types import FunctionCallItem, MessageItem, ReasoningItem

OutputItem = Annotated[MessageItem | ReasoningItem | FunctionCallItem, Field(discriminator="type")]
Tool = dict[str, object]
Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


class ResponseFault(Answer):
    """Why a response failed; the codes are those of the error object."""

    code: str | None
    message: str


class IncompleteDetails(Answer):
    """Why a response is incomplete; `interrupted`: its server process ended."""

    reason: str | None


class ConversationLink(Answer):
    """The conversation that a response belongs to."""

    id: str


class ReasoningFacts(Answer):
    """How much the model was told to think."""

    effort: str | None
    summary: str | None


class TextFacts(Answer):
    """What the text was to be."""

    format: dict[str, object]


class InputDetails(Answer):
    """Of the input's tokens."""

    cached_tokens: int = Field(ge=0)
    cache_write_tokens: Literal[0]


class OutputDetails(Answer):
    """Of the output's tokens."""

    reasoning_tokens: int = Field(ge=0)


class ResponseUsage(Answer):
    """Tokens of a response."""

    input_tokens: int = Field(ge=0)
    input_tokens_details: InputDetails
    output_tokens: int = Field(ge=0)
    output_tokens_details: OutputDetails
    total_tokens: int = Field(ge=0)
    x_conch: Timing | None = None


class ResponseFacts(Answer):
    """What OpenAI's object has no field for."""

    session_id: str | None
    parent_id: str | None = Field(description="The message it follows.")
    saved: bool = Field(description="Whether all that is told is in the store.")
    num_dropped: int = Field(ge=0, description="Oldest messages that the model did not see.")


class Response(Answer):
    """One turn of a model."""

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Status
    background: bool
    error: ResponseFault | None
    incomplete_details: IncompleteDetails | None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: dict[str, str]
    model: str
    output: list[OutputItem]
    parallel_tool_calls: bool
    previous_response_id: str | None
    conversation: ConversationLink | None
    prompt: None
    prompt_cache_key: str | None
    reasoning: ReasoningFacts
    safety_identifier: str | None
    service_tier: Literal["default"]
    store: bool
    temperature: float
    top_p: float
    top_logprobs: Literal[0]
    frequency_penalty: float
    presence_penalty: float
    text: TextFacts
    tool_choice: str | dict[str, str]
    tools: list[Tool]
    truncation: Literal["auto", "disabled"]
    usage: ResponseUsage | None
    user: str | None
    x_conch: ResponseFacts


class DeletedResponse(Answer):
    """It is gone."""

    id: str
    object: Literal["response"]
    deleted: Literal[True]
