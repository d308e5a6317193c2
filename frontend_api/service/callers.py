"""Who asks: what the guard found out, for the use cases that must know it.

The guard sets it once for each request or connection. Tasks inherit it, so whatever a request
starts, on whatever way, is bound by the key that it came with.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from frontend_api.domain.errors import ModelNotFound
from frontend_api.domain.keys import SCOPES, KeyLimits, Scope
from frontend_api.domain.model import ServedModel
from frontend_api.ports import ModelCatalogue, Readiness

DEFAULT_OWNER: Final = "default"


@dataclass(frozen=True, slots=True)
class Caller:
    """A client: whose sessions it sees, what it may do, and with which models (None: all)."""

    owner: str = DEFAULT_OWNER
    scopes: tuple[Scope, ...] = SCOPES
    models: tuple[str, ...] | None = None
    key_id: str | None = None
    limits: KeyLimits = field(default_factory=KeyLimits)


# The service's own work, as the titles of sessions, may use everything.
_SERVICE: Final = Caller()
_CALLER: Final[ContextVar[Caller]] = ContextVar("caller", default=_SERVICE)


def set_caller(caller: Caller) -> None:
    """Bind what this task does from now on, and the tasks it starts."""
    _CALLER.set(caller)


def current_caller() -> Caller:
    """Return who asks."""
    return _CALLER.get()


def owned_name(request_id: str) -> str:
    """Return the id of a request so that the same id of another owner is another name."""
    # No owner has a line break, so no two pairs give one name.
    return f"{current_caller().owner}\n{request_id}"


class PermittedModels:
    """The catalogue as the caller may see it: the other models are as if they were not there."""

    def __init__(self, catalogue: ModelCatalogue) -> None:
        """Use this one."""
        self._catalogue = catalogue

    def listed(self) -> Sequence[ServedModel]:
        """Return the caller's models, as the catalogue orders them."""
        return [model for model in self._catalogue.listed() if _may_use(model.name)]

    def get(self, name: str) -> ServedModel:
        """Return a ready model of the caller's; raises ModelNotFound, and what the catalogue does.

        What may not be used is refused before it is looked for, so that nothing tells of it.
        """
        if not _may_use(name):
            raise ModelNotFound(
                f"The model `{name}` does not exist or you do not have access to it."
            )
        return self._catalogue.get(name)

    def readiness(self) -> Readiness:
        """Return whether at least one model can answer anybody."""
        return self._catalogue.readiness()


def _may_use(model: str) -> bool:
    models = current_caller().models
    return models is None or model in models
