"""Generated text as server-sent events, in the original service's dialect.

How it works: an event is one `data:` line for each line of its text, and a blank line
(WHATWG HTML, section 9.2). A line of SSE ends with LF, CR or CRLF, so each of them is sent as
the end of a line, and a reader gets LF for all. A CR that ends a piece waits for the next
piece, which may begin with its LF. So the joined events are the text, wherever it was cut.
An error is an event whose text begins with `__ERROR__`; no event of generated text does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from frontend_api.domain import sse

ERROR_MARK: Final = "__ERROR__"
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


class TextFrames:
    """The events of one text that comes in pieces."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._held = ""

    def push(self, piece: str) -> bytes:
        """Return the event of this piece; nothing for an empty one."""
        text = self._held + piece
        self._held = "\r" if text.endswith("\r") else ""
        return b"".join(map(_event, unmistakable(text.removesuffix("\r"))))

    def end(self) -> bytes:
        """Return the event of what was held back."""
        held, self._held = self._held, ""
        return _event(held)


def error_frame(message: str) -> bytes:
    """Return the event that tells of an error, as the original's clients know it."""
    return _event(error_text(message))


def error_text(message: str) -> str:
    """Return what the original's clients know as an error."""
    return f"{ERROR_MARK}:{message}"


def unmistakable(text: str) -> Sequence[str]:
    """Return the text in frames, none of which a client could take for an error."""
    return (text[:1], text[1:]) if text.startswith(ERROR_MARK) else (text,)


def _event(text: str) -> bytes:
    if not text:
        return b""
    lines = _LINE_END.split(text)
    return b"\n".join(sse.DATA + line.encode() for line in lines) + sse.END
