"""A stored conversation: what it is, what may change in it, how a list of them is paged.

A session owns a tree of messages and a head, the leaf in view (domain/messages.py).
`head_version` counts the moves of the head: whoever moves it says which one was seen,
so that two turns at once cannot both follow the same message unnoticed.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

TitleSource = Literal["none", "words", "model", "user"]

SESSION_PREFIX: Final = "conv_"
MAX_ID_CHARS: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One conversation of one owner; ids are unique per owner, times are seconds since 1970."""

    id: str
    owner: str
    created_at: float
    updated_at: float
    title: str = ""
    title_source: TitleSource = "none"
    is_pinned: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    head: str | None = None
    head_version: int = 0
    num_messages: int = 0
    expires_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChanges:
    """What to set in a session; None leaves a thing as it is.

    seen_title_source: nothing is set when the title is from elsewhere by now; None: wherever from.
    """

    title: str | None = None
    title_source: TitleSource | None = None
    is_pinned: bool | None = None
    metadata: Mapping[str, str] | None = None
    updated_at: float | None = None
    expires_at: float | None = None
    seen_title_source: TitleSource | None = None


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Some sessions in order, and whether there are more after the last one."""

    sessions: Sequence[Session]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A message that holds what was searched for; `excerpt` is some of its text around it."""

    session_id: str
    message_id: str
    excerpt: str


def new_session_id() -> str:
    """Return an id nobody can guess."""
    return SESSION_PREFIX + secrets.token_hex(16)
