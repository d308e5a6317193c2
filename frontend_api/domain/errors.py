"""Every way a request can fail, as one tree.

ServiceError
├── BadRequest 400 ── UnsupportedParameter, ContextTooLong, ContentRefused ── RulesFailed
├── Unauthenticated 401 ── WrongKey · Forbidden 403
├── NotFound 404 ── ModelNotFound
├── MethodNotAllowed 405 · BodyTooSlow 408 · BodyTooLarge 413
├── Conflict 409 · KeyReused 422 · LimitReached 429
│   └── BudgetSpent, TooManyRequests, TooManyWaiting
├── RequestCancelled 499
├── Unavailable 503 ── ModelNotReady, BackendLost, Overloaded, ShuttingDown, StoreLost
├── TimedOut 504
└── InternalFault 500 ── EngineFailed
`message` is for people, `code` for programs; neither ever holds exception text, a path or a prompt.
"""

# ruff: noqa: N818 - a failure is named for what went wrong; `Error` on each would say nothing more

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final

_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


class ServiceError(Exception):
    """A failure that can be told to a client."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    default_code: ClassVar[str | None] = None
    default_retry_after_s: ClassVar[int | None] = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_s: int | None = None,
        extra: Mapping[str, int] = _NOTHING,
        detail: str = "",
    ) -> None:
        """Keep what the client is told, and the `detail` that only the log is.

        extra: fields beside the four standard keys of the error object.
        """
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = self.default_code if code is None else code
        self.retry_after_s = self.default_retry_after_s if retry_after_s is None else retry_after_s
        self.extra = extra
        self.detail = detail


class BadRequest(ServiceError):
    """The client must change its request."""

    status = 400
    type = "invalid_request_error"


class UnsupportedParameter(BadRequest):
    """The request asks for something that this model or its engine cannot do."""

    default_code = "unsupported_parameter"


class ContextTooLong(BadRequest):
    """Prompt and answer do not fit into the model's context."""

    default_code = "context_length_exceeded"


class ContentRefused(BadRequest):
    """A rule of this server forbids what is in the prompt; which one is not told."""

    default_code = "content_filter"

    def __init__(
        self, message: str = "The request was refused by the content rules of this server."
    ) -> None:
        """Say it."""
        super().__init__(message)


class RulesFailed(ContentRefused):
    """A rule of this server takes too long with a text, which is not let through then.

    Of the 4xx, as it would take as long with the same text again.
    """

    default_code = "content_rules_failed"

    def __init__(self, rule: str) -> None:
        """Say it, and keep the rule's name for the log."""
        super().__init__("The content rules of this server could not be applied to this text.")
        self.rule = rule


class Unauthenticated(ServiceError):
    """No API key came with the request."""

    status = 401
    type = "invalid_request_error"

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        """Say it in OpenAI's words."""
        super().__init__(
            message
            or "You didn't provide an API key. You need to provide your API key in an"
            " Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            code=code,
        )


class WrongKey(Unauthenticated):
    """The API key is unknown, wrong, expired or revoked; which one is not told."""

    default_code = "invalid_api_key"

    def __init__(self, masked_key: str) -> None:
        """Say it in OpenAI's words, with what may be shown of the key."""
        super().__init__(f"Incorrect API key provided: {masked_key}.")


class Forbidden(ServiceError):
    """The API key, or the page that asks, may not do this."""

    status = 403
    type = "invalid_request_error"
    default_code = "insufficient_permissions"


class NotFound(ServiceError):
    """There is nothing under that address or name."""

    status = 404
    type = "invalid_request_error"


class ModelNotFound(NotFound):
    """No model of that name is served here."""

    default_code = "model_not_found"


class MethodNotAllowed(ServiceError):
    """The address exists, the method does not."""

    status = 405
    type = "invalid_request_error"
    default_code = "method_not_supported"


class BodyTooSlow(ServiceError):
    """The request body did not arrive in time."""

    status = 408
    type = "invalid_request_error"
    default_code = "request_timeout"


class Conflict(ServiceError):
    """Somebody else changed it first: look at it again."""

    status = 409
    type = "invalid_request_error"
    default_code = "conflict"


class KeyReused(ServiceError):
    """An idempotency key came a second time, with another request."""

    status = 422
    type = "invalid_request_error"
    default_code = "idempotency_key_reused"


class LimitReached(ServiceError):
    """The owner has as many of these as the server keeps."""

    status = 429
    type = "invalid_request_error"
    default_code = "limit_reached"


class TooManyRequests(LimitReached):
    """An address, or a key, asks more often than it may."""

    type = "rate_limit_error"
    default_code = "rate_limit_exceeded"


class BudgetSpent(LimitReached):
    """The key has used what it may use for now."""

    type = "rate_limit_error"
    default_code = "rate_limit_exceeded"

    def __init__(self, message: str, *, limit: str = "", retry_after_s: int | None = None) -> None:
        """Keep which limit it was, in one word, for the metrics."""
        super().__init__(message, retry_after_s=retry_after_s)
        self.limit = limit


class TooManyWaiting(LimitReached):
    """The line before the model is full, and most of it is this key's, or this address's."""

    type = "rate_limit_error"
    default_code = "too_many_waiting"
    default_retry_after_s = 1


class RequestCancelled(ServiceError):
    """Somebody stopped the request by its id; nginx's number for a request that was given up."""

    status = 499
    type = "invalid_request_error"
    default_code = "request_cancelled"


class BodyTooLarge(ServiceError):
    """The request body is larger than allowed."""

    status = 413
    type = "invalid_request_error"
    default_code = "content_too_large"


class Unavailable(ServiceError):
    """Not now: the same request may work in a moment."""

    status = 503
    default_code = "service_unavailable"
    default_retry_after_s = 1


class ModelNotReady(Unavailable):
    """The model is known, but loading, reloading or failed."""

    default_code = "model_not_ready"


class MemoryFull(ModelNotReady):
    """The GPU's memory would do for the model, but others have it."""


class BackendLost(Unavailable):
    """The connection to Triton, or the model's process behind it, is gone."""

    default_code = "backend_unavailable"


class Overloaded(Unavailable):
    """The model takes no more requests at the moment."""

    default_code = "overloaded"


class ShuttingDown(Unavailable):
    """This server is stopping."""

    default_code = "shutting_down"


class StoreLost(Unavailable):
    """The database with the sessions does not answer."""

    default_code = "store_unavailable"


class TimedOut(ServiceError):
    """A deadline of the server passed."""

    status = 504
    default_code = "timeout"


class InternalFault(ServiceError):
    """Our fault; the details are in the log."""

    default_code = "internal_error"


class EngineFailed(InternalFault):
    """The engine reported a failure of its own."""

    default_code = "engine_failure"


def codes_of_errors() -> frozenset[str]:
    """Return the codes of all kinds of errors above."""
    kinds = [ServiceError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return frozenset(kind.default_code for kind in kinds if kind.default_code is not None)
