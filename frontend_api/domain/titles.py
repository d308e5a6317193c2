"""The title a session gets at once, the first words of what its user said; later the model's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from frontend_api.domain.messages import Item, Said

MAX_TITLE_CHARS: Final = 60
# What models put around a title.
_WRAPPING: Final = " \t\"'`*#“”„«»_.:"


def first_words(text: str) -> str:
    """Return as many whole words as a title holds, on one line; "" for a text without words.

    A first word that is too long by itself is cut.
    """
    line = " ".join(text[: 8 * MAX_TITLE_CHARS].split())
    if len(line) <= MAX_TITLE_CHARS:
        return line
    room = MAX_TITLE_CHARS - 1
    kept, space, _ = line[: room + 1].rpartition(" ")
    return f"{kept if space else line[:room]}…"


def title_of(items: Iterable[Item]) -> str:
    """Return the first words that a user says in these; "" when there are none."""
    said = (item.text for item in items if isinstance(item, Said) and item.role == "user")
    return next(filter(None, map(first_words, said)), "")


def as_title(text: str) -> str:
    """Return what a model wrote as a title, without marks around it; "" when it is none."""
    lines = [line for line in text.splitlines() if line.strip()]
    title = " ".join(lines[0].split()).strip(_WRAPPING) if len(lines) == 1 else ""
    return title if len(title) <= MAX_TITLE_CHARS else ""
