"""What a route says of itself in /openapi.json: one decorator, read by `openapi`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

from frontend_api.domain.errors import (
    BadRequest,
    BodyTooLarge,
    BodyTooSlow,
    BudgetSpent,
    Conflict,
    ContextTooLong,
    EngineFailed,
    InternalFault,
    KeyReused,
    LimitReached,
    ModelNotFound,
    NotFound,
    RequestCancelled,
    ServiceError,
    StoreLost,
    TimedOut,
    Unavailable,
    UnsupportedParameter,
)
from frontend_api.web.query import Query

# What running a model can end with, beyond a wrong body.
GENERATION: Final = (
    UnsupportedParameter,
    ContextTooLong,
    ModelNotFound,
    BudgetSpent,
    RequestCancelled,
    Unavailable,
    TimedOut,
    EngineFailed,
)
# What a turn of a stored session can end with.
STORED_TURN: Final = (*GENERATION, NotFound, Conflict, LimitReached, StoreLost)
_OF_A_BODY: Final = (BadRequest, BodyTooSlow, BodyTooLarge)
_OF_A_KEY: Final = (Conflict, KeyReused, StoreLost)
_ATTRIBUTE: Final = "__conch_doc__"

# A type that pydantic can describe: a model, a union, list[str], …
Described: TypeAlias = object


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteDoc:
    """The documentation of one route beside its docstring; the words are for people, types for all.

    body: what the request's JSON is validated with; `example` is one that is answered.
    query: what the parameters of the address are validated with.
    answers: what comes back as JSON under each status; None for an empty body.
    media: what comes back in other forms with 200, by media type; of a stream, one event.
    errors: what else it can end with, as the error object.
    is_idempotent: whether it takes an `Idempotency-Key`.
    """

    tag: str
    body: Described = None
    query: type[Query] | None = None
    example: Mapping[str, object] | None = None
    answers: Mapping[int, Described] = field(default_factory=dict)
    media: Mapping[str, Described] = field(default_factory=dict)
    errors: tuple[type[ServiceError], ...] = ()
    is_idempotent: bool = False

    @property
    def failures(self) -> tuple[type[ServiceError], ...]:
        """Every failure of the route, those of all routes included."""
        of_body = () if self.body is None else _OF_A_BODY
        of_query = () if self.query is None else (BadRequest,)
        of_key = _OF_A_KEY if self.is_idempotent else ()
        return (*of_body, *of_query, *self.errors, *of_key, InternalFault)


Route = TypeVar("Route", bound=Callable[..., object])


def documented(doc: RouteDoc) -> Callable[[Route], Route]:
    """Document the route; goes below the decorator that registers it."""

    def attach(route: Route) -> Route:
        setattr(route, _ATTRIBUTE, doc)
        return route

    return attach


def doc_of(route: Callable[..., object]) -> RouteDoc | None:
    """Return what the route says of itself."""
    doc = getattr(route, _ATTRIBUTE, None)
    return doc if isinstance(doc, RouteDoc) else None
