"""What runs the models: Triton, as the use cases see it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from frontend_api.domain.generation import Accepted, Delta, GenerationRequest, Prompt
from frontend_api.domain.model import ServedModel

Result = TypeVar("Result")


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
        """Return every model, loaded or not: the ready ones first, then by name."""
        ...

    def find(self, name: str) -> ServedModel:
        """Return a model in whatever state; raises ModelNotFound or BackendLost."""
        ...

    def get(self, name: str) -> ServedModel:
        """Return a ready model; raises ModelNotFound, ModelNotReady or BackendLost."""
        ...

    def readiness(self) -> Readiness:
        """Return whether at least one model can answer."""
        ...


class ModelControl(Protocol):
    """Loads models and unloads them; raises ModelNotReady, which says why not, or BackendLost."""

    def alone(self) -> AbstractAsyncContextManager[None]:
        """Wait until nobody else loads a model; the catalogue is up to date then."""
        ...

    async def load(self, name: str) -> None:
        """Load the model's newest version; the catalogue has it when this returns.

        Streams on an older version go on to their ends.
        """
        ...

    async def unload(self, name: str) -> None:
        """Take no more requests for it; those that run are finished."""
        ...

    async def unloads_ended(self) -> bool:
        """Wait a while until what was unloaded has gone; whether it has, and anything had to."""
        ...

    def note_use(self, name: str) -> None:
        """Tell the other workers of this host that a model is in use, or was a moment ago."""
        ...

    def unused_s(self, name: str) -> float | None:
        """Return how long ago a worker of this host told of its use; None: none has."""
        ...


class Tokenizing(Protocol):
    """A model's own tokenizer; raises ServiceErrors as Generator does."""

    async def tokenize(self, model: str, prompt: Prompt) -> Sequence[int]:
        """Return the ids that a generation from this prompt would begin with."""
        ...

    async def detokenize(self, model: str, ids: Sequence[int]) -> str:
        """Return the text of these ids, special tokens printed."""
        ...
