"""The replaceable things: what the use cases need from the outside, as Protocols."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from frontend_api.domain.generation import Accepted, Delta, GenerationRequest, Prompt
from frontend_api.domain.model import ServedModel
from frontend_api.domain.running import Action, RunningRequest


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

    def get(self, name: str) -> ServedModel:
        """Return a ready model; raises ModelNotFound, ModelNotReady or BackendLost."""
        ...

    def readiness(self) -> Readiness:
        """Return whether at least one model can answer."""
        ...


class Tokenizing(Protocol):
    """A model's own tokenizer; raises ServiceErrors as Generator does."""

    async def tokenize(self, model: str, prompt: Prompt) -> Sequence[int]:
        """Return the ids that a generation from this prompt would begin with."""
        ...

    async def detokenize(self, model: str, ids: Sequence[int]) -> str:
        """Return the text of these ids, special tokens printed."""
        ...


class Peers(Protocol):
    """The other workers of this server."""

    async def ask(self, request_id: str, action: Action) -> RunningRequest | None:
        """Do it where the request runs; None when no other worker has it."""
        ...

    def listening(
        self, answer: Callable[[str, Action], RunningRequest | None]
    ) -> AbstractAsyncContextManager[None]:
        """Answer what the others ask while the block runs."""
        ...


class Clock(Protocol):
    """The time, so that tests can choose it."""

    def now(self) -> float:
        """Return seconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""
        ...
