"""Server-sent events as bytes (WHATWG HTML, section 9.2).

How it works: an event is `data: <one line>` and a blank line. JSON never holds a
raw newline, so one line is enough. A line that starts with a colon is a comment:
clients drop it, proxies see traffic. OpenAI's streams end with the data `[DONE]`.
"""

from __future__ import annotations

from typing import Final

DATA: Final = b"data: "
END: Final = b"\n\n"
DONE: Final = b"data: [DONE]\n\n"
KEEPALIVE: Final = b": keepalive\n\n"


def keepalive(queue_position: int | None) -> bytes:
    """Return a comment for a silent stream; it tells who waits for the model how many are ahead."""
    if queue_position is None:
        return KEEPALIVE
    return b": queued, %d ahead\n\n" % (queue_position - 1)


def event(json: bytes) -> bytes:
    """Frame one JSON document as an event."""
    return DATA + json + END
