"""How a run ends, from what ended it."""

from __future__ import annotations

from typing import Final

from frontend_api.domain.errors import RequestCancelled, ServiceError, ShuttingDown
from frontend_api.domain.messages import Ending

MAX_OUTPUT_TOKENS: Final = "max_output_tokens"
# By the reason for which the model, or what stands before it, stopped.
_INCOMPLETE: Final = {"length": MAX_OUTPUT_TOKENS, "content_filter": "content_filter"}
# Another word than INTERRUPTED: that ending may be taken back by a checkpoint that comes late.
SHUTTING_DOWN: Final = "server_shutdown"


def ending_of(finish_reason: str | None, error: ServiceError | None, completed_at: float) -> Ending:
    """Return the ending of a run whose model stopped for this reason, or which this error ended."""
    if isinstance(error, RequestCancelled) or (error is None and finish_reason == "cancelled"):
        return Ending(status="cancelled", completed_at=completed_at)
    if isinstance(error, ShuttingDown):
        return Ending(status="incomplete", completed_at=completed_at, reason=SHUTTING_DOWN)
    if error is not None:
        return Ending(
            status="failed",
            completed_at=completed_at,
            error_code=error.code or "server_error",
            error_message=error.message,
        )
    reason = _INCOMPLETE.get(finish_reason or "")
    return Ending(
        status="completed" if reason is None else "incomplete",
        completed_at=completed_at,
        finish_reason=finish_reason or "stop",
        reason=reason,
    )
