"""The items of conversations and responses as clients receive them, as strict types."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from frontend_api.web.answer_types import Answer

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class InputText(Answer):
    """What a user, a system or a developer said."""

    type: Literal["input_text"]
    text: str


class OutputText(Answer):
    """What an assistant said."""

    type: Literal["output_text"]
    text: str
    annotations: Annotated[list[object], Field(max_length=0)]
    logprobs: Annotated[list[object], Field(max_length=0)]


class ReasoningText(Answer):
    """What a model thought."""

    type: Literal["reasoning_text"]
    text: str


class MessageItem(Answer):
    """A turn of somebody."""

    id: str
    type: Literal["message"]
    status: ItemStatus
    role: Literal["system", "developer", "user", "assistant"]
    content: list[InputText | OutputText]


class ReasoningItem(Answer):
    """What a model thought before it spoke."""

    id: str
    type: Literal["reasoning"]
    status: ItemStatus
    summary: Annotated[list[object], Field(max_length=0)]
    content: list[ReasoningText]
    encrypted_content: None


class FunctionCallItem(Answer):
    """A tool call of a model."""

    id: str
    type: Literal["function_call"]
    status: ItemStatus
    call_id: str
    name: str
    arguments: str


class FunctionCallOutputItem(Answer):
    """What a tool answered."""

    id: str
    type: Literal["function_call_output"]
    status: ItemStatus
    call_id: str
    output: str


Item = Annotated[
    MessageItem | ReasoningItem | FunctionCallItem | FunctionCallOutputItem,
    Field(discriminator="type"),
]


class ItemList(Answer):
    """Some items, in the order asked for; an empty page has ids of ""."""

    object: Literal["list"]
    data: list[Item]
    first_id: str
    last_id: str
    has_more: bool
