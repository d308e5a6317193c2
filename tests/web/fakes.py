"""Stand-ins for Triton that behave: they stream, fail, hang and notice being closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from frontend_api.domain.errors import ModelNotFound, ModelNotReady, ServiceError
from frontend_api.domain.generation import Accepted, Delta, GenerationRequest
from frontend_api.domain.model import OPTIONAL_FEATURES, ModelState, ServedModel
from frontend_api.ports import Readiness
from frontend_api.service.model_loading import ModelLoading
from frontend_api.service.served_models import ServedModels
from frontend_api.settings import ModelSettings

EVERYTHING = frozenset(
    {*OPTIONAL_FEATURES, "n", "log_probs", "json", "json_schema", "regex", "ebnf_grammar"}
)
DEMO = ServedModel(
    "demo",
    created=1_700_000_000,
    engine="fake",
    quantization="none",
    context_length=4096,
    capabilities=EVERYTHING,
)
TALKER = replace(DEMO, tool_format="hermes", reasoning_format="think")
HANG = "hang"

Step = Accepted | Delta | ServiceError | str | asyncio.Event


class FakeCatalogue:
    """Serves the given models."""

    def __init__(self, *models: ServedModel) -> None:
        self.models = {model.name: model for model in models or (DEMO,)}

    def listed(self) -> Sequence[ServedModel]:
        return [self.models[name] for name in sorted(self.models)]

    def find(self, name: str) -> ServedModel:
        model = self.models.get(name)
        if model is None:
            raise ModelNotFound(f"The model `{name}` does not exist.")
        return model

    def get(self, name: str) -> ServedModel:
        model = self.find(name)
        if not model.is_ready:
            raise ModelNotReady(f"The model `{name}` is not ready: {model.reason}.")
        return model

    def readiness(self) -> Readiness:
        num_ready = sum(model.is_ready for model in self.models.values())
        return Readiness(num_ready > 0, num_ready, "" if num_ready else "no model is ready")


class FakeControl:
    """Loads and unloads the models of a FakeCatalogue, each when `may_go_on` is set."""

    def __init__(self, catalogue: FakeCatalogue) -> None:
        self.catalogue = catalogue
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.unloaded = asyncio.Event()
        self.calls: list[tuple[str, str]] = []
        self.failure: ServiceError | None = None
        # What the next loads end with; then `failure` counts.
        self.refusals: list[ServiceError] = []
        # Whether what was unloaded before is still going, when it is waited for.
        self.is_unloading = False
        self.used = asyncio.Event()
        self.unused: dict[str, float] = {}
        self._alone = asyncio.Lock()

    def alone(self) -> AbstractAsyncContextManager[None]:
        return self._alone

    def note_use(self, name: str) -> None:
        self.used.set()

    def unused_s(self, name: str) -> float | None:
        return self.unused.get(name)

    async def load(self, name: str) -> None:
        self.calls.append(("load", name))
        await self.may_go_on.wait()
        if self.refusals:
            raise self.refusals.pop(0)
        if self.failure is not None:
            raise self.failure
        self._set(name, "ready")

    async def unload(self, name: str) -> None:
        self.calls.append(("unload", name))
        self._set(name, "unloaded")
        self.unloaded.set()

    async def unloads_ended(self) -> bool:
        was_unloading, self.is_unloading = self.is_unloading, False
        return was_unloading

    def _set(self, name: str, state: ModelState) -> None:
        self.catalogue.models[name] = replace(self.catalogue.models[name], state=state)


def all_models(catalogue: FakeCatalogue) -> ServedModels:
    """The models of a catalogue, by their own names, for use cases that need no more."""
    control = FakeControl(catalogue)
    loading = ModelLoading(catalogue, control, ModelSettings(), FixedClock())
    return ServedModels(catalogue, loading, {})


class FakeGenerator:
    """Plays the same steps for every request; errors are raised, events waited for."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self.steps = list(steps)
        self.requests: list[GenerationRequest] = []
        self.num_open = 0
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Accepted | Delta, None]:
        self.requests.append(request)
        self.num_open += 1
        self.opened.set()
        try:
            for step in self.steps:
                event = await self._play(step)
                if event is not None:
                    yield event
        finally:
            self.num_open -= 1
            if not self.num_open:
                self.closed.set()

    async def _play(self, step: Step) -> Accepted | Delta | None:
        # A real stream suspends between its messages.
        await asyncio.sleep(0)
        if isinstance(step, ServiceError):
            raise step
        if isinstance(step, asyncio.Event):
            await step.wait()
            return None
        if isinstance(step, str):
            await asyncio.Event().wait()
            return None
        return step


class FixedClock:
    """The same moment, until a test sets another one."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return 1_700_000_000.5

    def monotonic(self) -> float:
        return self.seconds


def words(*texts: str, reason: str = "stop", index: int = 0) -> list[Step]:
    """Return the steps of one sequence: a delta for each text, the reason on the last."""
    *most, last = texts
    return [*(Delta(index, text, 1) for text in most), Delta(index, last, 1, reason)]
