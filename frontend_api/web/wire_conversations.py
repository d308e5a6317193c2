"""The bodies and query strings of /v1/conversations; OpenAI's fields, ours under `x_conch`."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from frontend_api.domain.sessions import SessionChanges
from frontend_api.web.chatgpt import MAX_TITLE_CHARS
from frontend_api.web.items_json import ItemId, ItemIn
from frontend_api.web.query import Query
from frontend_api.web.validation import MISSING, refused
from frontend_api.web.wire_base import Unsupported, Wire
from frontend_api.web.wire_chat import Metadata

MAX_NEW_ITEMS: Final = 20
_MAX_PAGE: Final = 100
_PAGE: Final = 20

PageSize = Annotated[int, Field(ge=1, le=_MAX_PAGE)]


class ConversationIn(Wire):
    """A new conversation."""

    items: Annotated[list[ItemIn], Field(max_length=MAX_NEW_ITEMS)] | None = None
    metadata: Metadata | None = None


class ItemsIn(Wire):
    """What is added to a conversation."""

    items: Annotated[list[ItemIn], Field(min_length=1, max_length=MAX_NEW_ITEMS)]


class ShownIn(Wire):
    """How a conversation is listed; a title of null, or an empty one, is given up."""

    title: Annotated[str, Field(max_length=MAX_TITLE_CHARS)] | None = None
    is_pinned: bool | None = None


class ConversationChangesIn(Wire):
    """What to change; metadata is replaced as a whole, null empties it."""

    metadata: Metadata | None = None
    x_conch: ShownIn | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise refused(MISSING, "missing_required_parameter", at="metadata")
        return self

    def to_domain(self) -> SessionChanges:
        """Return the changes."""
        shown = self.x_conch or ShownIn()
        title = shown.title or "" if "title" in shown.model_fields_set else None
        return SessionChanges(
            title=title,
            title_source=None if title is None else "user" if title else "none",
            is_pinned=shown.is_pinned,
            metadata=(self.metadata or {}) if "metadata" in self.model_fields_set else None,
        )


class ForkIn(Wire):
    """Where a fork ends; the whole path in view unless told."""

    message_id: ItemId | None = None


class HeadMoveIn(Wire):
    """The message to show the path to, null for an empty view.

    `expected_head` is the head that the client knows; if it has moved, nothing is changed.
    """

    message_id: ItemId | None
    expected_head: ItemId | None = None


class ItemsQuery(Query):
    """Which of a conversation's items to list."""

    after: ItemId | None = None
    limit: PageSize = _PAGE
    order: Literal["asc", "desc"] = "desc"
    include: Unsupported = None


class IncludeQuery(Query):
    """What else to tell of items; there is nothing else."""

    include: Unsupported = None


class PageQuery(Query):
    """Which conversations to list."""

    after: ItemId | None = None
    limit: PageSize = _PAGE


class SearchQuery(Query):
    """What to look for inside messages."""

    q: Annotated[str, Field(min_length=1, max_length=256)]
    limit: PageSize = _PAGE


class ExportQuery(Query):
    """The form of an export."""

    format: Literal["json", "markdown"] = "json"
