"""Traces: the steps of a request as spans, each a part of the one before, across programs.

How it works: what runs for a request finds the request's span in a context variable, which tasks
inherit. Off is the rule: then a request has a trace id for its log line and nothing else, and no
library for traces is imported (frontend_api/telemetry/otlp.py has it). There is a span for each
stage, never one for each token. Spans hold figures and names, no text of prompts or answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Final, Literal, Protocol, TypeAlias

from frontend_api.domain.errors import ServiceError
from frontend_api.domain.trace_context import TraceContext, new_trace_id

Attributes: TypeAlias = Mapping[str, str | int | float | bool | Sequence[str]]
Kind: TypeAlias = Literal["internal", "server", "client"]
Headers: TypeAlias = tuple[tuple[str, str], ...]


class Span(Protocol):
    """A step of a request, from its making to `end`."""

    @property
    def trace_id(self) -> str:
        """The id of the trace, 32 hexadecimal digits; "" outside of any request."""
        ...

    @property
    def is_sampled(self) -> bool:
        """Whether it is kept; if not, nobody will read its attributes."""
        ...

    def headers(self) -> Headers:
        """Return what makes the next program's work a part of this; () when nobody keeps it."""
        ...

    def child(self, name: str, kind: Kind = "internal") -> Span:
        """Begin a step that is a part of this one."""
        ...

    def stage(self, name: str, from_s: float, to_s: float) -> None:
        """Add a part that is over already; in seconds since this step began."""
        ...

    def set(self, attributes: Attributes) -> None:
        """Say something about it; what was said under the same name is replaced."""
        ...

    def end(
        self, *, name: str = "", error: str | None = None, after_s: float | None = None
    ) -> None:
        """End it now, or so many seconds after its beginning.

        name: what it proved to be; error: the code of what made it fail.
        """
        ...


class Tracing(Protocol):
    """Begins spans, and sends them away while `running`."""

    def begun(self, name: str, kind: Kind = "internal", parent: TraceContext | None = None) -> Span:
        """Begin a step of `parent`, or of what runs here now, or of nothing: then a new trace."""
        ...

    def running(self) -> AbstractAsyncContextManager[None]:
        """Send what ends while the block runs."""
        ...


class Unkept:
    """A span when nothing is kept; where another program keeps the trace, the next one hears of it.

    It is its own child.
    """

    is_sampled: Final = False

    def __init__(self, trace_id: str = "", came_from: TraceContext | None = None) -> None:
        """Belong to that trace."""
        self.trace_id = trace_id
        is_kept = came_from is not None and came_from.is_sampled
        self._headers: Headers = came_from.headers() if came_from and is_kept else ()

    def headers(self) -> Headers:
        """Return what the request came with."""
        return self._headers

    def child(self, name: str, kind: Kind = "internal") -> Span:
        """Return itself."""
        return self

    def stage(self, name: str, from_s: float, to_s: float) -> None:
        """Keep nothing."""

    def set(self, attributes: Attributes) -> None:
        """Keep nothing."""

    def end(
        self, *, name: str = "", error: str | None = None, after_s: float | None = None
    ) -> None:
        """Keep nothing."""


class NoTracing:
    """Tracing that is off."""

    def begun(self, name: str, kind: Kind = "internal", parent: TraceContext | None = None) -> Span:
        """Return a span with an id."""
        if parent is not None:
            return Unkept(parent.trace_id, parent)
        here = current_span()
        return here if here.trace_id else Unkept(new_trace_id())

    def running(self) -> AbstractAsyncContextManager[None]:
        """Do nothing."""
        return nullcontext()


_NOWHERE: Final = Unkept()
_CURRENT: Final[ContextVar[Span]] = ContextVar("span", default=_NOWHERE)


def current_span() -> Span:
    """Return the span of what runs here now."""
    return _CURRENT.get()


@contextmanager
def within(span: Span) -> Iterator[Span]:
    """Make what runs in this block, and the tasks it starts, a part of the span."""
    token = _CURRENT.set(span)
    try:
        yield span
    finally:
        _CURRENT.reset(token)


@contextmanager
def spanned(span: Span) -> Iterator[Span]:
    """End the span with the block; an error that leaves the block is its error.

    Being cancelled is none: whoever asked has left, or has heard enough.
    """
    error: str | None = None
    try:
        yield span
    except (asyncio.CancelledError, GeneratorExit):
        span.set({"conch.cancelled": True})
        raise
    except ServiceError as failure:
        error = failure.code or type(failure).__name__
        raise
    except BaseException as failure:
        error = type(failure).__name__
        raise
    finally:
        span.end(error=error)
