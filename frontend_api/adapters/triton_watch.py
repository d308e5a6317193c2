"""Watches Triton and its models, and keeps the catalogue true.

Triton goes on calling a model ready whose Python process has died, and leaves its
streams silent for ever (2.51; seen with kill -9). So a model counts as ready only
while its own `describe` answers, and the open streams of a dead model are ended here.

Behind a balancer that names its servers (docker/haproxy) there are several Tritons, and each look
is answered by another one. There a model is ready while any of a few asked in turn says so, and
what one of them loses are its own streams only.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from tritonclient.grpc import service_pb2

from frontend_api.adapters.triton_access import MAX_ASKED
from frontend_api.adapters.triton_catalogue import TritonCatalogue
from frontend_api.adapters.triton_channel import OpenStreams, TritonChannel
from frontend_api.adapters.triton_describe import Description, ProcessId, describe, read_signature
from frontend_api.adapters.triton_errors import own_sentence, translated
from frontend_api.adapters.triton_process import ProcessWatch
from frontend_api.adapters.triton_signature import NotServable, Signature
from frontend_api.domain.errors import BackendLost, ModelNotReady, ServiceError, TimedOut
from frontend_api.domain.model import ModelState, ServedModel
from frontend_api.settings import ModelSettings, TritonSettings

_log = structlog.get_logger()

# A stream older than a doubt and silent for this long is dead; a live one speaks every 0.1 s.
_SILENCE_S: Final = 0.7
# The answer takes a millisecond; streams of a dead model wait for it.
_QUESTION_LIMIT_S: Final = 0.5
# One missed answer is not yet a death: a loaded machine is slow, too.
_TOLERATED_MISSES: Final = 1
_LOST: Final = "its connection was lost"


@dataclass(frozen=True, slots=True)
class _Seen:
    """One model in Triton's repository index."""

    state: str
    reason: str


@dataclass(slots=True)
class _Watched:
    """One model: its configuration, and since when it has been in doubt."""

    signature: Signature | None = None
    num_misses: int = 0
    doubted_at: float = 0.0
    process: ProcessWatch | None = None
    version: str = ""
    server: str = ""


class TritonWatch:
    """Looks at Triton again and again while `run` runs."""

    def __init__(
        self,
        channel: TritonChannel,
        catalogue: TritonCatalogue,
        streams: OpenStreams,
        triton: TritonSettings,
        models: ModelSettings,
    ) -> None:
        """Keep `catalogue` true and end the `streams` of models that died."""
        self._channel = channel
        self._catalogue = catalogue
        self._streams = streams
        self._triton = triton
        self._served_names = frozenset(models.served)
        self._watched: dict[str, _Watched] = {}
        self._num_misses = 0
        self._are_several = False
        self._looking = asyncio.Lock()
        self._questions: set[asyncio.Task[None]] = set()
        self._look_now = asyncio.Event()
        self._has_looked = asyncio.Event()

    async def run(self) -> None:
        """Look until cancelled; no failure of one look ends the watch."""
        try:
            while True:
                await self.look()
                self._has_looked.set()
                self._look_now.clear()
                try:
                    async with asyncio.timeout(self._triton.probe_interval_s):
                        await self._look_now.wait()
                except TimeoutError:
                    continue
        finally:
            for question in self._questions:
                question.cancel()
            for watched in self._watched.values():
                _unwatch(watched)

    async def first_look(self) -> None:
        """Wait until Triton has been looked at once, whatever was seen, or that takes too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._triton.probe_timeout_s):
                await self._has_looked.wait()

    async def look(self) -> None:
        """Look at once, and return when the catalogue is up to date."""
        async with self._looking:
            await self._look_once()

    @property
    def are_several(self) -> bool:
        """Whether several Tritons are behind the one address."""
        return self._are_several

    def doubt(self, name: str) -> None:
        """Hold the model for lost until it answers again, and look at once.

        Of several Tritons the others have it still.
        """
        if self._catalogue.is_ready(name) and not self._are_several:
            self._lose(name, _LOST)
        self._look_now.set()

    async def _look_once(self) -> None:
        try:
            index = await self._index()
            self._num_misses = 0
            await self._look_at_models(index)
            self._catalogue.set_looked()
        except ServiceError as exc:
            self._miss_triton(exc)
        except Exception:
            _log.exception("triton.watch_fault")

    async def _index(self) -> dict[str, _Seen]:
        """Return each model as Triton sees it; of several, as the one with most of them ready."""
        best: dict[str, _Seen] = {}
        for num_left in reversed(range(MAX_ASKED)):
            try:
                with translated():
                    answer = await self._channel.stub.RepositoryIndex(
                        service_pb2.RepositoryIndexRequest(), timeout=self._triton.probe_timeout_s
                    )
            except ServiceError:
                if self._are_several and (num_left or best):
                    continue
                raise
            index = _read_index(answer.models)
            if _num_ready(index) >= _num_ready(best):
                best = index
            if not self._are_several or self._has_all_ready(best):
                break
        return best

    def _has_all_ready(self, index: dict[str, _Seen]) -> bool:
        ready = {name for name, seen in index.items() if seen.state == "READY"}
        known = filter(self._catalogue.is_ready, self._catalogue.names())
        return ready.issuperset(known)

    def _miss_triton(self, error: ServiceError) -> None:
        self._num_misses += 1
        if isinstance(error, TimedOut) and self._num_misses <= _TOLERATED_MISSES:
            return
        for name in self._catalogue.names():
            self._lose(name, "Triton is not reachable", error.detail)

    async def _look_at_models(self, index: dict[str, _Seen]) -> None:
        served = {
            n: s for n, s in index.items() if not self._served_names or n in self._served_names
        }
        for name in frozenset(self._catalogue.names()) - served.keys():
            self._lose(name, "it was removed")
        self._catalogue.retain(served)
        async with asyncio.TaskGroup() as group:
            for name, seen in served.items():
                if seen.state == "READY":
                    group.create_task(self._probe(name))
                elif seen.state == "UNLOADING":
                    # It takes nothing new and goes on with what it has.
                    self._doubt_model(name, "it is not loaded", state="unloaded")
                else:
                    state, reason = _state_and_reason(seen)
                    self._lose(name, reason, seen.reason, state)

    async def _probe(self, name: str) -> None:
        watched = self._watched.setdefault(name, _Watched())
        self._streams.lose_silent(name, watched.doubted_at, _SILENCE_S)
        for num_left in reversed(range(MAX_ASKED)):
            watched.server = ""
            try:
                async with asyncio.timeout(self._triton.probe_timeout_s):
                    await self._ask(name, watched)
            except NotServable as exc:
                self._catalogue.set_foreign(name, exc.message)
            except (TimeoutError, BackendLost, ModelNotReady) as exc:
                if num_left and self._are_several:
                    self._bury_one(name, watched, exc)
                    continue
                self._believe(name, watched, exc)
            except ServiceError as exc:
                self._lose(name, exc.message, exc.detail)
            return

    def _believe(self, name: str, watched: _Watched, exc: TimeoutError | ServiceError) -> None:
        """The model does not answer."""
        if isinstance(exc, BackendLost):
            self._bury_one(name, watched, exc)
            self._bury(name, exc.detail)
        elif isinstance(exc, ServiceError):
            self._lose(name, exc.message, exc.detail)
        else:
            watched.num_misses += 1
            if watched.num_misses > _TOLERATED_MISSES:
                self._lose(name, "it does not answer")

    async def _ask(self, name: str, watched: _Watched) -> None:
        if watched.signature is None:
            limit_s = self._triton.probe_timeout_s
            watched.signature = await read_signature(self._channel, name, limit_s)
        if watched.signature.can_describe:
            description = await self._describe(name, watched, watched.signature)
            if not self._are_several:
                self._watch_process(name, watched, description.process)
            watched.version = description.version
            served = description.served
        else:
            served = ServedModel(name, inputs=watched.signature.inputs)
        watched.num_misses = 0
        if self._catalogue.set_ready(served, watched.signature):
            _log.info("model.ready", model=name)

    async def _describe(self, name: str, watched: _Watched, signature: Signature) -> Description:
        # A set of its own: a probe is not one of the generations that end with the model.
        with OpenStreams().opened(name, self._channel.stub.ModelStreamInfer()) as stream:
            try:
                return await describe(stream, name, signature)
            finally:
                watched.server = stream.server
                self._are_several = self._are_several or stream.server != ""

    def _watch_process(self, name: str, watched: _Watched, process: ProcessId | None) -> None:
        if process is None or (watched.process and watched.process.process == process):
            return
        _unwatch(watched)
        watched.process = ProcessWatch(process, lambda: self._ask_why_ended(name))

    def _ask_why_ended(self, name: str) -> None:
        task = asyncio.create_task(self._explain_end(name))
        self._questions.add(task)
        task.add_done_callback(self._questions.discard)

    async def _explain_end(self, name: str) -> None:
        """The process of an older version may end: nothing was lost when a newer one is ready."""
        watched = self._watched[name]
        try:
            versions = await self._ready_versions(name)
        except ServiceError:
            versions = ()
        if versions and watched.version not in versions:
            self._look_now.set()
        else:
            self._bury(name)

    async def _ready_versions(self, name: str) -> Sequence[str]:
        request = service_pb2.RepositoryIndexRequest(ready=True)
        with translated():
            index = await self._channel.stub.RepositoryIndex(request, timeout=_QUESTION_LIMIT_S)
        return [model.version for model in index.models if model.name == name]

    def _bury(self, name: str, detail: str = "") -> None:
        """Its process is dead for certain: nothing will come on its streams any more."""
        self._lose(name, "its process has ended", detail)
        if not self._are_several:
            self._streams.lose_all(name)

    def _bury_one(self, name: str, watched: _Watched, exc: TimeoutError | ServiceError) -> None:
        """One of several says that its process is dead; the others' streams go on."""
        if isinstance(exc, BackendLost) and watched.server:
            self._streams.lose_all(name, watched.server)

    def _lose(self, name: str, reason: str, detail: str = "", state: ModelState = "failed") -> None:
        watched = self._doubt_model(name, reason, detail, state)
        self._streams.lose_silent(name, watched.doubted_at, _SILENCE_S)

    def _doubt_model(
        self, name: str, reason: str, detail: str = "", state: ModelState = "failed"
    ) -> _Watched:
        watched = self._watched.setdefault(name, _Watched())
        watched.signature = None
        watched.doubted_at = asyncio.get_running_loop().time()
        _unwatch(watched)
        if self._catalogue.set_lost(name, reason, state):
            _log.warning("model.lost", model=name, reason=reason, detail=detail)
        return watched


def _unwatch(watched: _Watched) -> None:
    if watched.process is not None:
        watched.process.close()
        watched.process = None


def _read_index(models: Any) -> dict[str, _Seen]:
    """Return each model as Triton sees it; READY if any of its versions is."""
    index: dict[str, _Seen] = {}
    for model in models:
        if model.name not in index or index[model.name].state != "READY":
            index[model.name] = _Seen(model.state or "UNAVAILABLE", model.reason)
    return index


def _num_ready(index: dict[str, _Seen]) -> int:
    return sum(seen.state == "READY" for seen in index.values())


def _state_and_reason(seen: _Seen) -> tuple[ModelState, str]:
    """Return the state of a model that is not ready, and why in words for a client."""
    if seen.state == "LOADING":
        return "loading", "it is loading"
    if seen.reason in ("", "unloaded"):
        return "unloaded", "it is not loaded"
    sentence = own_sentence(seen.reason)
    return "failed", f"it failed to load ({sentence})" if sentence else "it failed to load"
