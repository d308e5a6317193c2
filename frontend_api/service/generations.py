"""The use case every dialect shares: admit a request, run it, account for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace

from frontend_api.domain.errors import ShuttingDown, TimedOut
from frontend_api.domain.generation import GenerationRequest, Usage
from frontend_api.domain.model import ServedModel, require_capabilities
from frontend_api.ports import Generator, Readiness
from frontend_api.service.admission import Gates, Work
from frontend_api.service.callers import current_caller, owned_name
from frontend_api.service.generation_trace import GenerationTrace
from frontend_api.service.live import Deadlines, Events, LiveGeneration
from frontend_api.service.served_models import ServedModels
from frontend_api.settings import TritonSettings
from frontend_api.telemetry import GenerationRecord, Telemetry
from frontend_api.telemetry.tracing import within


class Generations:
    """Starts generations, knows the running ones, and ends them when the server stops."""

    def __init__(
        self,
        models: ServedModels,
        generator: Generator,
        telemetry: Telemetry,
        timeouts: TritonSettings,
        gates: Gates | None = None,
    ) -> None:
        """Use these; nothing is opened."""
        self._gates = gates or Gates()
        self._models = models
        self._generator = generator
        self._telemetry = telemetry
        self._timeouts = timeouts
        self._live: dict[LiveGeneration, str] = {}
        self._polite: set[LiveGeneration] = set()
        self._ended = asyncio.Event()
        self._is_draining = False
        self.num_begun = 0

    @property
    def is_idle(self) -> bool:
        """Whether this worker generates nothing."""
        return not self._live

    def begin(
        self,
        requests: Sequence[GenerationRequest],
        request_id: str = "",
        *,
        gives_way: bool = False,
    ) -> LiveGeneration:
        """Admit the request and start its runs, one per prompt; the caller closes the result.

        All requests are one client's: same model, same parameters. What `gives_way` is stopped,
        without an error and without a last delta, as soon as anything else begins. Raises a
        ServiceError when the model is unknown, not ready or cannot do what is asked.
        """
        first = requests[0]
        model = self._admit(first)
        self._make_way()
        self.num_begun += 1
        work = Work(
            caller=current_caller(),
            model=model,
            request_id=request_id,
            num_sequences=len(requests) * first.n,
            max_tokens=first.max_tokens,
            usage=Usage(),
            is_own=gives_way,
        )
        trace = GenerationTrace(self._telemetry.tracing, requests, model.name)
        with within(trace.span):
            generation = LiveGeneration(
                work,
                lambda work: self._runs(requests, work),
                self._deadlines(first),
                lambda ended: self._account(ended, trace),
                gates=self._gates,
                num_runs=len(requests),
            )
        self._live[generation] = owned_name(request_id)
        if gives_way:
            self._polite.add(generation)
        self._telemetry.generation_started(model.name)
        return generation

    def served(self, name: str) -> ServedModel:
        """Return the model of that name; raises a ServiceError when it takes no requests now."""
        if self._is_draining:
            raise ShuttingDown("The server is shutting down.")
        return self._models.served(name)

    async def described(self, name: str) -> ServedModel:
        """Return the model as `served` does, loaded once if it has never been.

        Raises TimedOut when that takes longer than a generation may.
        """
        if self._is_draining:
            raise ShuttingDown("The server is shutting down.")
        try:
            async with asyncio.timeout(self._timeouts.total_timeout_s):
                return await self._models.described(name)
        except TimeoutError:
            raise TimedOut("The model took too long to load.") from None

    def named(self, name: str) -> Sequence[LiveGeneration]:
        """Return what runs under this `owned_name`; clients choose ids: there may be several."""
        return [live for live, name_ in self._live.items() if name_ == name]

    def models(self) -> Sequence[ServedModel]:
        """Return the served models."""
        return self._models.listed()

    def readiness(self) -> Readiness:
        """Return whether a new request would be answered."""
        state = self._models.readiness()
        if self._is_draining:
            return Readiness(False, state.models_available, "the server is shutting down")
        return state

    def drain(self, limit_s: float) -> None:
        """Take nothing new; running generations get `limit_s`, then end with an error."""
        if not self._is_draining:
            self._is_draining = True
            self._make_way()
            asyncio.get_running_loop().call_later(limit_s, self._end_all)

    async def drained(self, limit_s: float) -> None:
        """Wait, while draining, until everything has ended, or `limit_s`; else return at once."""
        if self._is_draining and self._live:
            self._ended.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), limit_s)

    def _make_way(self) -> None:
        for polite in self._polite:
            polite.suffice()

    def _end_all(self) -> None:
        for generation in list(self._live):
            generation.fail(ShuttingDown("The server is shutting down."))
        self._models.stop()

    def _admit(self, request: GenerationRequest) -> ServedModel:
        model = self.served(request.model)
        require_capabilities(request, model)
        return model

    def _runs(self, requests: Sequence[GenerationRequest], work: Work) -> Sequence[Events]:
        return [
            self._generator.generate(
                replace(
                    request,
                    model=work.model.name,
                    max_tokens=work.max_tokens,
                    lora_name=self._models.adapter(request.model),
                )
            )
            for request in requests
        ]

    def _deadlines(self, request: GenerationRequest) -> Deadlines:
        limits = self._timeouts
        if request.stream:
            return Deadlines(
                limits.first_token_timeout_s,
                limits.between_tokens_timeout_s,
                limits.total_timeout_s,
            )
        # One response at the end: there is no first token to wait for.
        return Deadlines(limits.total_timeout_s, limits.total_timeout_s, limits.total_timeout_s)

    def _account(self, ended: LiveGeneration, trace: GenerationTrace) -> None:
        del self._live[ended]
        self._polite.discard(ended)
        if not self._live:
            self._ended.set()
        self._telemetry.generation_ended(
            GenerationRecord(
                model=ended.model,
                outcome=ended.outcome,
                usage=ended.usage,
                first_token_s=ended.first_token_s,
                duration_s=ended.duration_s,
            )
        )
        trace.end(ended)
