"""What to tell a client whose answer did not come to its end."""

from __future__ import annotations

from collections.abc import Iterator

from frontend_api.domain.endings import SHUTTING_DOWN
from frontend_api.domain.errors import (
    InternalFault,
    RequestCancelled,
    ServiceError,
    ShuttingDown,
    Unavailable,
)
from frontend_api.domain.messages import INTERRUPTED, Ending


def failure_of(ending: Ending) -> ServiceError | None:
    """Return the error that a run ended with; None when the model said all it would."""
    if ending.status == "cancelled":
        return RequestCancelled("The response was cancelled.")
    if ending.status == "failed":
        message = ending.error_message or "The server had an error. Please try again."
        return _kind(ending.error_code)(message, code=ending.error_code)
    if ending.reason == SHUTTING_DOWN:
        return ShuttingDown("The server is shutting down.")
    if ending.reason == INTERRUPTED:
        return Unavailable(
            "The answer was interrupted. What was said is kept in its session.", code=INTERRUPTED
        )
    return None


def _kind(code: str | None) -> type[ServiceError]:
    return next((kind for kind in _kinds(ServiceError) if kind.default_code == code), InternalFault)


def _kinds(kind: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _kinds(below)
