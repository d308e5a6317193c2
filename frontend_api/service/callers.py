"""Who asks: what the guard found out, for the use cases that must know it.

The guard sets it once for each request or connection. Tasks inherit it, so whatever a request
starts, on whatever way, is bound by the key that it came with.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from frontend_api.domain.keys import SCOPES, KeyLimits, Scope

DEFAULT_OWNER: Final = "default"


@dataclass(frozen=True, slots=True)
class Caller:
    """A client: whose sessions it sees, what it may do, and with which models (None: all).

    address: what tells it from others without a key; "" with one.
    """

    owner: str = DEFAULT_OWNER
    scopes: tuple[Scope, ...] = SCOPES
    models: tuple[str, ...] | None = None
    key_id: str | None = None
    address: str = ""
    limits: KeyLimits = field(default_factory=KeyLimits)


# The service's own work, as the titles of sessions, may use everything.
_SERVICE: Final = Caller()


@dataclass(slots=True)
class Bound:
    """Who asks on one connection; what is put into its place counts from then on."""

    caller: Caller


_BOUND: Final[ContextVar[Bound | None]] = ContextVar("bound", default=None)


def set_caller(caller: Caller) -> Bound:
    """Bind what this task does from now on, and the tasks it starts."""
    bound = Bound(caller)
    _BOUND.set(bound)
    return bound


def current_caller() -> Caller:
    """Return who asks."""
    bound = _BOUND.get()
    return _SERVICE if bound is None else bound.caller


def owned_name(request_id: str) -> str:
    """Return the id of a request so that the same id of another owner is another name."""
    # No owner has a line break, so no two pairs give one name.
    return f"{current_caller().owner}\n{request_id}"
