"""What to show of a text that holds what was searched for."""

from __future__ import annotations

from typing import Final

EXCERPT_CHARS: Final = 160
_CUT: Final = "…"


def excerpt(text: str, sought: str) -> str:
    """Return some of the text around the first place that holds it, whatever its case."""
    start = max(0, _place(text, sought) - EXCERPT_CHARS // 3)
    end = start + EXCERPT_CHARS
    shown = " ".join(text[start:end].split())
    return (_CUT if start else "") + shown + (_CUT if end < len(text) else "")


def _place(text: str, sought: str) -> int:
    place = text.casefold().find(sought.casefold())
    if place < 0 or len(text.casefold()) == len(text):
        return max(0, place)
    # Folding made some characters longer ("ß" is "ss"): count in the text as it is.
    folded_chars = 0
    for number, char in enumerate(text):
        folded_chars += len(char.casefold())
        if folded_chars > place:
            return number
    return 0
