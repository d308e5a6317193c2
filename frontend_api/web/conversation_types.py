"""The answers of /v1/conversations as strict types."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from frontend_api.domain.sessions import TitleSource
from frontend_api.web.answer_types import Answer
from frontend_api.web.answer_types_responses import (
    IncompleteDetails,
    ResponseFault,
    ResponseUsage,
)
from frontend_api.web.item_types import Item


class ConversationFacts(Answer):
    """What OpenAI's object has no field for."""

    title: str
    title_source: TitleSource
    is_pinned: bool
    updated_at: int = Field(description="Seconds since 1970.")
    head: str | None = Field(description="The message in view, the last of those listed.")
    num_messages: int = Field(ge=0, description="In all branches.")
    is_running: bool = Field(description="Whether the answer at the head is still being made.")


class Conversation(Answer):
    """A conversation."""

    id: str
    object: Literal["conversation"]
    created_at: int = Field(description="Seconds since 1970.")
    metadata: dict[str, str]
    x_conch: ConversationFacts


class ConversationDeleted(Answer):
    """A conversation is gone, with everything in it."""

    id: str
    object: Literal["conversation.deleted"]
    deleted: Literal[True]


class ConversationList(Answer):
    """Some conversations, pinned first, then the last changed first."""

    object: Literal["list"]
    data: list[Conversation]
    first_id: str
    last_id: str
    has_more: bool


class Match(Answer):
    """A message that holds what was searched for."""

    object: Literal["conversation.match"]
    conversation_id: str
    title: str
    message_id: str
    excerpt: str


class MatchList(Answer):
    """The newest matches."""

    object: Literal["list"]
    data: list[Match]


class TreeMessage(Answer):
    """One message of the tree; but for its items and its place, what is told is a response's."""

    id: str
    parent_id: str | None
    created_at: int
    model: str | None
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    is_deleted: bool
    items: list[Item]
    settings: dict[str, object] = Field(description="What was asked for, but for the defaults.")
    num_dropped: int = Field(ge=0, description="Oldest messages that the model did not see.")
    completed_at: int | None
    error: ResponseFault | None
    incomplete_details: IncompleteDetails | None
    usage: ResponseUsage | None


class ConversationTree(Answer):
    """All messages of a conversation, parents before their children."""

    id: str
    object: Literal["conversation.tree"]
    head: str | None
    data: list[TreeMessage]


class RefusedConversation(Answer):
    """A conversation of an import that was not taken, by its place in the document."""

    index: int = Field(ge=0)
    code: str | None
    message: str


class ImportAnswer(Answer):
    """What became of an import."""

    object: Literal["list"]
    data: list[Conversation]
    refused: list[RefusedConversation]
