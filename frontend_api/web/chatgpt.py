"""Conversations of a ChatGPT export, as its `conversations.json` has them.

How it works: a conversation is a `mapping` of nodes, each with the id of its parent and, mostly,
a message; `current_node` is the leaf in view. A node is kept if its message says something to be
read: text, code that calls a tool, what the tool answered, or thoughts. What follows a node that
is not kept (hidden, empty, a note of the app's own) follows the one before it instead. Parts that
are no text (an image, a voice) leave the name of their kind in brackets. Unknown fields are
passed over: the form is not documented and grows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from frontend_api.domain.drafts import Draft, DraftMessage
from frontend_api.domain.messages import Called, Item, Returned, Role, Said, Thought

# The year 9999: what comes after it, no program can write as a date.
LAST_MOMENT: Final = 253_402_300_799
MAX_TITLE_CHARS: Final = 200
_ROLES: Final[Mapping[str, Role]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
}
_EVERYBODY: Final = "all"

Moment = Annotated[float, Field(ge=0, le=LAST_MOMENT)]
Id = Annotated[str, Field(min_length=1, max_length=256)]


class _Loose(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class ChatGptAuthorIn(_Loose):
    """Who speaks."""

    role: str


class ChatGptThoughtIn(_Loose):
    """One step of the model's thinking."""

    summary: str = ""
    content: str = ""


class ChatGptContentIn(_Loose):
    """What is said: `parts` or `text`, by its kind."""

    content_type: str
    parts: list[object] | None = None
    text: str | None = None
    thoughts: list[ChatGptThoughtIn] | None = None


class ChatGptMetadataIn(_Loose):
    """What the app notes on a message."""

    is_visually_hidden_from_conversation: bool | None = None


class ChatGptMessageIn(_Loose):
    """One message."""

    author: ChatGptAuthorIn
    content: ChatGptContentIn
    create_time: Moment | None = None
    recipient: Annotated[str, Field(max_length=256)] | None = None
    metadata: ChatGptMetadataIn = ChatGptMetadataIn()


class ChatGptNodeIn(_Loose):
    """One node of the tree."""

    message: ChatGptMessageIn | None = None
    parent: Id | None = None


class ChatGptConversationIn(_Loose):
    """A conversation as ChatGPT exports it."""

    mapping: dict[Id, ChatGptNodeIn]
    title: str | None = None
    create_time: Moment | None = None
    update_time: Moment | None = None
    current_node: Id | None = None

    def to_domain(self) -> Draft:
        """Return the conversation."""
        return _Reading(self).draft()


class _Reading:
    """The work of reading one conversation."""

    def __init__(self, source: ChatGptConversationIn) -> None:
        self._source = source
        self._created_at = source.create_time or 0.0
        self._messages: list[DraftMessage] = []
        # Each node's own number if it is kept, else that of the node before it.
        self._numbers: dict[str, int | None] = {}

    def draft(self) -> Draft:
        source = self._source
        for node_id in self._in_order():
            self._read(node_id, source.mapping[node_id])
        title = " ".join((source.title or "").split())[:MAX_TITLE_CHARS]
        return Draft(
            created_at=self._created_at,
            updated_at=max(source.update_time or 0.0, self._created_at),
            messages=tuple(self._messages),
            head=self._head(),
            title=title,
            title_source="user" if title else "none",
        )

    def _in_order(self) -> Iterator[str]:
        """Yield the nodes, parents first; those in a circle are never reached."""
        mapping = self._source.mapping
        children: dict[str | None, list[str]] = {}
        for node_id, node in mapping.items():
            parent = node.parent if node.parent in mapping else None
            children.setdefault(parent, []).append(node_id)
        waiting = children.get(None, [])[::-1]
        while waiting:
            node_id = waiting.pop()
            yield node_id
            waiting += children.get(node_id, [])[::-1]

    def _read(self, node_id: str, node: ChatGptNodeIn) -> None:
        before = self._numbers.get(node.parent or "")
        item = None if node.message is None else self._item(node_id, node.message, before)
        if node.message is None or item is None:
            self._numbers[node_id] = before
            return
        self._numbers[node_id] = len(self._messages)
        earliest = self._created_at if before is None else self._messages[before].created_at
        at = node.message.create_time or earliest
        self._messages.append(DraftMessage(parent=before, created_at=at, said=(item,)))

    def _item(self, node_id: str, message: ChatGptMessageIn, before: int | None) -> Item | None:
        content, role = message.content, message.author.role
        if message.metadata.is_visually_hidden_from_conversation:
            return None
        if content.content_type == "thoughts":
            steps = [f"{step.summary}\n{step.content}".strip() for step in content.thoughts or ()]
            thought = "\n\n".join(filter(None, steps))
            return Thought(thought) if thought else None
        text = _text_of(content)
        if not text:
            return None
        if role == "tool":
            return self._returned(text, before)
        if role == "assistant" and message.recipient not in (None, "", _EVERYBODY):
            return Called(node_id, message.recipient or "", _arguments(text))
        return Said(_ROLES[role], text) if role in _ROLES else None

    def _returned(self, text: str, before: int | None) -> Item | None:
        """An answer that follows no call would puzzle a model: it is left out."""
        called = None if before is None else self._messages[before].said[0]
        return Returned(called.call_id, text) if isinstance(called, Called) else None

    def _head(self) -> int | None:
        current = self._source.current_node
        if current is not None and current in self._numbers:
            return self._numbers[current]
        return len(self._messages) - 1 if self._messages else None


def _text_of(content: ChatGptContentIn) -> str:
    if content.content_type in ("reasoning_recap", "model_editable_context"):
        return ""
    if content.parts is None:
        return content.text or ""
    return "\n".join(filter(None, map(_part, content.parts)))


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    text = part.get("text")
    return text if isinstance(text, str) else f"[{str(part.get('content_type', 'part'))[:64]}]"


def _arguments(text: str) -> str:
    """Return the arguments as chat templates want them, a JSON object."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    return text if isinstance(parsed, dict) else json.dumps({"input": text}, ensure_ascii=False)
