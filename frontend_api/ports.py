"""The replaceable things: what the use cases need from the outside, as Protocols."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from frontend_api.domain.generation import Accepted, Delta, GenerationRequest
from frontend_api.domain.model import ServedModel


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether requests can be answered, and if not, why."""

    is_ready: bool
    models_available: int
    reason: str = ""


class Generator(Protocol):
    """Runs a model."""

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Accepted | Delta, None]:
        """Yield `Accepted` once if the model tells, then deltas until every sequence has ended.

        Raises a ServiceError when the backend refuses, fails or is lost. Closing
        the generator stops the run.
        """
        ...


class ModelCatalogue(Protocol):
    """Knows the served models; answers at once from what was last seen."""

    def listed(self) -> Sequence[ServedModel]:
        """Return every model that is or was ready, sorted by name."""
        ...

    def get(self, name: str) -> ServedModel:
        """Return a ready model; raises ModelNotFound, ModelNotReady or BackendLost."""
        ...

    def readiness(self) -> Readiness:
        """Return whether at least one model can answer."""
        ...


class Clock(Protocol):
    """The time, so that tests can choose it."""

    def now(self) -> float:
        """Return seconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""
        ...
