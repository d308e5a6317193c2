"""W3C trace context: of which trace a request is a part (https://www.w3.org/TR/trace-context/).

How it works: `traceparent` is version-trace-parent-flags in lower-case hexadecimal; what is not
exactly so is as if it were not there, and then a trace of our own begins. `tracestate` belongs to
the tracing systems on the way: it is handed on as it came, or, when it is too long, dropped.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

# Version 00 ends with its flags; a later one may go on behind another hyphen. ff is forbidden.
_PARENT: Final = re.compile(
    r"(?:00-(?=.{52}$)|(?!00|ff)[0-9a-f]{2}-)"
    r"(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<span>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?:-.*)?",
    re.ASCII,
)
# Section 3.3.1.5: at least so many characters are to be handed on.
_MAX_STATE_CHARS: Final = 512
_STATE: Final = re.compile(r"[ -~]+", re.ASCII)
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span, possibly another program's: 32 and 16 hexadecimal digits, and whether it is kept."""

    trace_id: str
    span_id: str
    is_sampled: bool
    state: str = ""

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the headers that make what is asked with them a part of this span."""
        parent = f"00-{self.trace_id}-{self.span_id}-{int(self.is_sampled):02x}"
        named = (("traceparent", parent), ("tracestate", self.state))
        return named if self.state else named[:1]


def read_trace_context(headers: Iterable[tuple[bytes, bytes]]) -> TraceContext | None:
    """Return the span that a request is a part of; None when it does not name one, and just one."""
    parents, states = [], []
    for name, value in headers:
        if name == b"traceparent":
            parents.append(value.decode("latin-1"))
        elif name == b"tracestate":
            states.append(value.decode("latin-1"))
    if len(parents) != 1 or not (found := _PARENT.fullmatch(parents[0])):
        return None
    state = ",".join(states)
    is_fit = len(state) <= _MAX_STATE_CHARS and _STATE.fullmatch(state)
    is_sampled = bool(int(found["flags"], 16) & _SAMPLED)
    return TraceContext(found["trace"], found["span"], is_sampled, state if is_fit else "")


def new_trace_id() -> str:
    """Return an id that no other trace has."""
    return secrets.token_hex(16)
