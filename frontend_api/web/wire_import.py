"""What POST /v1/conversations/import takes: our own export, or ChatGPT's; one or a list.

Ours is checked like any request (domain/export.py writes it). Of a ChatGPT export only the
conversations are read: its `conversations.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from frontend_api.domain.drafts import Draft, DraftMessage, pieces_of
from frontend_api.domain.errors import BadRequest
from frontend_api.domain.export import FORMAT, VERSION
from frontend_api.domain.generation import Usage
from frontend_api.domain.messages import RUNNING, Called, Ending, Item, Returned, Run, Said, Thought
from frontend_api.web.body import checked, parse_json
from frontend_api.web.chatgpt import MAX_TITLE_CHARS, ChatGptConversationIn, Moment
from frontend_api.web.validation import refused
from frontend_api.web.wire_base import Wire
from frontend_api.web.wire_chat import Metadata

MAX_CONVERSATIONS: Final = 1000

Name = Annotated[str, Field(min_length=1, max_length=256)]
Count = Annotated[int, Field(ge=0, le=2**53)]


class SaidIn(Wire):
    """What somebody said."""

    type: Literal["message"]
    role: Literal["system", "developer", "user", "assistant"]
    text: str

    def to_domain(self) -> Item:
        """Return the item."""
        return Said(self.role, self.text)


class ThoughtIn(Wire):
    """What a model thought."""

    type: Literal["reasoning"]
    text: str

    def to_domain(self) -> Item:
        """Return the item."""
        return Thought(self.text)


class CalledIn(Wire):
    """A call of a tool."""

    type: Literal["function_call"]
    call_id: Name
    name: Name
    arguments: str

    def to_domain(self) -> Item:
        """Return the item."""
        return Called(self.call_id, self.name, self.arguments)


class ReturnedIn(Wire):
    """What a tool answered."""

    type: Literal["function_call_output"]
    call_id: Name
    output: str

    def to_domain(self) -> Item:
        """Return the item."""
        return Returned(self.call_id, self.output)


ExportedItem = Annotated[
    SaidIn | ThoughtIn | CalledIn | ReturnedIn,
    Field(discriminator="type"),
]


class UsageIn(Wire):
    """The tokens of an answer."""

    prompt_tokens: Count
    completion_tokens: Count
    cached_tokens: Count
    reasoning_tokens: Count

    def to_domain(self) -> Usage:
        """Return the counts."""
        return Usage(
            self.prompt_tokens, self.completion_tokens, self.cached_tokens, self.reasoning_tokens
        )


class ExportedResponseIn(Wire):
    """The generation that made a message."""

    model: Name
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    completed_at: Moment | None = None
    finish_reason: Annotated[str, Field(max_length=64)] | None = None
    incomplete_reason: Annotated[str, Field(max_length=64)] | None = None
    error_code: Annotated[str, Field(max_length=64)] | None = None
    error_message: Annotated[str, Field(max_length=1000)] | None = None
    usage: UsageIn | None = None

    def to_domain(self, items: tuple[Item, ...]) -> Run:
        """Return the run that said these items."""
        return Run(
            model=self.model,
            status=self.status,
            worker="",
            lease_until=0.0,
            pieces=pieces_of(items),
            ending=self._ending(),
        )

    def _ending(self) -> Ending | None:
        """A run without an end was still going on; a copy of it is given one."""
        if self.completed_at is None or self.status in RUNNING:
            return None
        return Ending(
            status=self.status,
            completed_at=self.completed_at,
            usage=None if self.usage is None else self.usage.to_domain(),
            finish_reason=self.finish_reason,
            reason=self.incomplete_reason,
            error_code=self.error_code,
            error_message=self.error_message,
        )


class ExportedMessageIn(Wire):
    """One node of the tree."""

    parent: Count | None
    created_at: Moment
    items: list[ExportedItem]
    is_deleted: bool = False
    response: ExportedResponseIn | None = None

    def to_domain(self) -> DraftMessage:
        """Return the message."""
        items = tuple(item.to_domain() for item in self.items)
        return DraftMessage(
            parent=self.parent,
            created_at=self.created_at,
            said=() if self.response else items,
            run=None if self.response is None else self.response.to_domain(items),
            is_deleted=self.is_deleted,
        )


class ExportedConversationIn(Wire):
    """A conversation as GET /v1/conversations/{id}/export gives it."""

    format: Literal[FORMAT]  # type: ignore[valid-type]
    version: Literal[VERSION]  # type: ignore[valid-type]
    title: Annotated[str, Field(max_length=MAX_TITLE_CHARS)]
    title_source: Literal["none", "words", "model", "user"]
    is_pinned: bool
    metadata: Metadata
    created_at: Moment
    updated_at: Moment
    head: Count | None
    messages: list[ExportedMessageIn]

    @model_validator(mode="after")
    def _is_a_tree(self) -> Self:
        for number, message in enumerate(self.messages):
            if message.parent is not None and message.parent >= number:
                raise refused(
                    "Invalid '{param}': a message follows an earlier one.",
                    "invalid_value",
                    at=f"messages[{number}].parent",
                )
        if self.head is not None and self.head >= len(self.messages):
            raise refused(
                "Invalid '{param}': there is no such message.", "invalid_value", at="head"
            )
        return self

    def to_domain(self) -> Draft:
        """Return the conversation."""
        return Draft(
            created_at=self.created_at,
            updated_at=self.updated_at,
            messages=tuple(message.to_domain() for message in self.messages),
            head=self.head,
            title=self.title,
            title_source=self.title_source,
            is_pinned=self.is_pinned,
            metadata=self.metadata,
        )


def _form(value: object) -> str:
    return "<chatgpt>" if isinstance(value, Mapping) and "mapping" in value else "<conch>"


ImportedConversation = Annotated[
    Annotated[ExportedConversationIn, Tag("<conch>")]
    | Annotated[ChatGptConversationIn, Tag("<chatgpt>")],
    Discriminator(_form),
]


class _OneIn(Wire):
    conversations: Annotated[list[ImportedConversation], Field(min_length=1, max_length=1)]


def parse_import(body: bytes | str) -> Sequence[Draft]:
    """Return the conversations of a document that is one of them or a list; raises BadRequest.

    One after the other: checking them all in one call would hold up every stream meanwhile.
    """
    parsed = parse_json(body)
    listed = parsed if isinstance(parsed, list) else [parsed]
    if not 0 < len(listed) <= MAX_CONVERSATIONS:
        raise BadRequest(
            f"Expected 1 to {MAX_CONVERSATIONS} conversations, but got {len(listed)}.",
            code="invalid_value",
        )
    return [_draft(number, one) for number, one in enumerate(listed)]


def _draft(number: int, document: object) -> Draft:
    try:
        return checked({"conversations": [document]}, _OneIn).conversations[0].to_domain()
    except BadRequest as error:
        place = f"conversations[{number}]"
        raise BadRequest(
            error.message.replace("conversations[0]", place),
            param=None if error.param is None else error.param.replace("conversations[0]", place),
            code=error.code,
        ) from error
