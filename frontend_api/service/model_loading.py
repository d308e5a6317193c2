"""Models are loaded when they are asked for, and unloaded when others need their place.

How it works: a request for a model that is not loaded waits for the one load of it, however many
wait. With a limit on loaded models another one makes room first: the one that was asked for the
longest time ago. It is closed to new requests, which wait until it is loaded again, and goes when
what runs on it here has ended. What other workers run on it is finished too: Triton unloads a
model only then. A request that they send meanwhile is refused by Triton and comes back here.
A limit on memory goes by what a model held when it was last loaded, and is looked at once more
when it is. An engine that finds too little free memory on its GPU gets room in the same way.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import structlog

from frontend_api.domain.errors import (
    Conflict,
    MemoryFull,
    ModelNotReady,
    ServiceError,
    ShuttingDown,
)
from frontend_api.domain.model import ServedModel
from frontend_api.ports import Clock, ModelCatalogue, ModelControl
from frontend_api.service.admission import Work
from frontend_api.service.model_room import ModelRoom
from frontend_api.settings import ModelSettings

_IDLE_LOOK_S: Final = 1.0
_WAITS_FOR_ROOM: Final = "it waits for room: another model goes when its requests have ended"
_WAITS_FOR_TURN: Final = "it waits for its turn to be loaded"
_STOPPING: Final = "The server is shutting down."
_log = structlog.get_logger()


class ModelLoading:
    """Loads and unloads models; a Gate."""

    def __init__(
        self,
        catalogue: ModelCatalogue,
        control: ModelControl,
        settings: ModelSettings,
        clock: Clock,
    ) -> None:
        """Use these; nothing is opened."""
        self._catalogue = catalogue
        self._control = control
        self._settings = settings
        self._clock = clock
        self._room = ModelRoom(settings)
        self._is_stopping = False
        self._loads: dict[str, asyncio.Task[None]] = {}
        self._waiting: Counter[str] = Counter()
        # Those who waited for a load may enter, whatever has been decided since.
        self._granted: Counter[str] = Counter()
        self._inside: Counter[str] = Counter()
        self._asked_at: dict[str, float] = {}
        self._told_at: dict[str, float] = {}
        self._closing: set[str] = set()
        self._short_of_room: set[str] = set()
        self._left = asyncio.Event()

    def served(self, name: str) -> ServedModel:
        """Return the model if a request for it may be begun; it need not be loaded.

        Raises ModelNotFound, ModelNotReady or BackendLost.
        """
        model = self._catalogue.find(name)
        is_expected = model.is_loadable and model.is_described and self._settings.load_on_demand
        return model if is_expected else self._catalogue.get(name)

    def told(self, model: ServedModel) -> ServedModel:
        """Return it with what it waits for, if requests here wait for it to be loaded."""
        if model.state != "unloaded" or model.name not in self._loads:
            return model
        is_short = model.name in self._short_of_room
        return replace(model, reason=_WAITS_FOR_ROOM if is_short else _WAITS_FOR_TURN)

    async def described(self, name: str) -> ServedModel:
        """Return the model once it is known what may be asked of it: it was loaded before.

        Raises as `served` does, and ModelNotReady when it cannot be loaded.
        """
        model = self._catalogue.find(name)
        if model.is_loadable and not model.is_described:
            await self._wait_for(model)
        return self.served(name)

    @asynccontextmanager
    async def entered(self, work: Work) -> AsyncGenerator[None, None]:
        """Wait until the model is loaded; it stays so until the block ends."""
        async with self.kept(work.model.name) as work.model:
            yield

    @asynccontextmanager
    async def kept(self, name: str) -> AsyncGenerator[ServedModel, None]:
        """Yield the model, loaded if need be; it stays so until the block ends."""
        model = await self._enter(name)
        try:
            yield model
        finally:
            self._inside[name] -= 1
            self._asked_at[name] = self._clock.monotonic()
            self._left.set()

    async def accepted(self, work: Work) -> None:
        """Nothing more is to be done."""

    async def load(self, name: str) -> ServedModel:
        """Load it, or, if it is loaded, its newest version; its streams go on."""
        model = self._catalogue.find(name)
        await self._begun(model.name, is_renewal=model.is_ready)
        return self._catalogue.find(name)

    async def unload(self, name: str) -> ServedModel:
        """Unload it; raises Conflict while it is loading, and while requests run on it."""
        model = self._catalogue.find(name)
        if model.state == "loading" or model.name in self._loads:
            raise Conflict(f"The model `{name}` is being loaded; unload it when it is.")
        if model.is_ready:
            if self._inside[model.name] or model.num_running:
                raise Conflict(f"The model `{name}` is answering requests.")
            await self._control.unload(model.name)
        return self._catalogue.find(name)

    def stop(self) -> None:
        """Load nothing more; who waits for a load is told that the server shuts down."""
        self._is_stopping = True
        for task in self._loads.values():
            task.cancel()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Unload idle models while the block runs; ends every load with it."""
        idle = asyncio.create_task(self._watch_idle())
        try:
            yield
        finally:
            tasks = [idle, *self._loads.values()]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _enter(self, name: str) -> ServedModel:
        model = self._catalogue.find(name)
        while not model.is_ready or name in self._closing:
            is_certain = await self._wait_for(model)
            model = self._catalogue.find(name)
            if is_certain and model.is_ready:
                break
        self._inside[name] += 1
        self._asked_at[name] = self._clock.monotonic()
        return model

    async def _wait_for(self, model: ServedModel) -> bool:
        """Wait for its load; returns whether it is certain to be loaded now."""
        name = model.name
        if not (model.is_loadable and self._settings.load_on_demand):
            self._catalogue.get(name)
        self._waiting[name] += 1
        try:
            await self._begun(name)
        finally:
            self._waiting[name] -= 1
            is_granted = self._granted[name] > 0
            self._granted[name] -= is_granted
            # Perhaps it does not enter, and then nobody else tells who needs the room.
            self._left.set()
        return is_granted

    async def _begun(self, name: str, *, is_renewal: bool = False) -> None:
        """Join the load of this model, begun now if there is none."""
        if self._is_stopping:
            raise ShuttingDown(_STOPPING)
        task = self._loads.get(name)
        if task is None:
            load = self._renew(name) if is_renewal else self._load(name)
            task = self._loads[name] = asyncio.create_task(load)
            task.add_done_callback(lambda done: self._forget(name, done))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            asking = asyncio.current_task()
            if not self._is_stopping or (asking is not None and asking.cancelling()):
                raise
            raise ShuttingDown(_STOPPING) from None

    def _forget(self, name: str, task: asyncio.Task[None]) -> None:
        del self._loads[name]
        if not task.cancelled():
            task.exception()  # whoever waited has it; perhaps nobody did

    async def _load(self, name: str) -> None:
        async with self._control.alone():
            if not self._catalogue.find(name).is_ready:
                has_made_room = await self._make_room(name)
                started = self._clock.monotonic()
                await self._load_where_it_fits(name, has_made_room=has_made_room)
                if not self._catalogue.find(name).is_ready:
                    # Not once more: whoever waits would load it again and again.
                    raise ModelNotReady(f"The model `{name}` was loaded, but does not answer.")
                seconds = round(self._clock.monotonic() - started, 1)
                _log.info("model.loaded", model=name, seconds=seconds)
                await self._keep_room(name)
            self._granted[name] = self._waiting[name]
            # The next one that needs room waits until these have been in.
            self._left.set()

    async def _renew(self, name: str) -> None:
        async with self._control.alone():
            await self._control.load(name)

    async def _load_where_it_fits(self, name: str, *, has_made_room: bool) -> None:
        """Load it; what its GPU has no memory for is tried again as others are unloaded."""
        while True:
            try:
                return await self._control.load(name)
            except MemoryFull as full:
                # What is being unloaded holds its memory until it has gone: perhaps it just has.
                if await self._control.unloads_ended() or has_made_room:
                    has_made_room = False
                    continue
                try:
                    victim = self._victim(self._loaded_besides(name))
                except ModelNotReady:
                    raise full from None
                await self._unload_for(name, victim)
                await self._control.unloads_ended()

    async def _make_room(self, name: str) -> bool:
        """Unload others while there is no room for it; whether there was any need."""
        has_made_room = False
        while self._room.is_short(self._catalogue.find(name), others := self._loaded_besides(name)):
            await self._unload_for(name, self._victim(others))
            has_made_room = True
        return has_made_room

    async def _keep_room(self, name: str) -> None:
        """Now that it has told what it holds, others may have to go, or it has itself."""
        try:
            await self._make_room(name)
        except ModelNotReady:
            await self._control.unload(name)
            raise

    async def _unload_for(self, name: str, victim: str) -> None:
        self._closing.add(victim)
        self._short_of_room.add(name)
        try:
            await self._until_empty(victim)
            await self._control.unload(victim)
        finally:
            self._closing.discard(victim)
            self._short_of_room.discard(name)
        _log.info("model.made_room", model=victim, for_model=name)

    def _loaded_besides(self, name: str) -> Sequence[ServedModel]:
        return [
            model
            for model in self._catalogue.listed()
            if model.name != name and (model.is_ready or model.state == "loading")
        ]

    def _victim(self, loaded: Sequence[ServedModel]) -> str:
        """Return the name of the model that nobody has asked for for the longest time."""
        kept = frozenset(self._settings.warm)
        free = [model for model in loaded if model.is_ready and model.name not in kept]
        if not free:
            raise ModelNotReady(
                "There is no room for another model: all that are loaded are kept by models.warm."
            )
        return min(free, key=lambda model: (model.num_running > 0, self._last_asked(model))).name

    def _last_asked(self, model: ServedModel) -> float:
        """Return when somebody asked for it last, here or in another worker."""
        here = self._asked_at.get(model.name, 0.0)
        unused_s = model.idle_s
        if unused_s is None:
            unused_s = self._control.unused_s(model.name)
        return here if unused_s is None else max(here, self._clock.monotonic() - unused_s)

    async def _until_empty(self, name: str) -> None:
        while self._inside[name] or self._granted[name]:
            self._left.clear()
            await self._left.wait()

    async def _watch_idle(self) -> None:
        limit_s = self._settings.idle_unload_s
        while True:
            await asyncio.sleep(_IDLE_LOOK_S)
            for model in self._catalogue.listed():
                self._note_seen(model)
                if limit_s and self._is_idle(model, limit_s):
                    # Another worker may have been first.
                    with contextlib.suppress(ServiceError):
                        await self._control.unload(model.name)
                        _log.info("model.unloaded", model=model.name, idle_s=limit_s)

    def _note_seen(self, model: ServedModel) -> None:
        """Keep the time of a model that does not tell itself how long it is idle.

        It begins to be so when it is loaded; the other workers are told that it is in use.
        """
        name = model.name
        if not model.is_ready:
            self._asked_at.pop(name, None)
            self._told_at.pop(name, None)
        elif model.idle_s is None:
            asked_at = self._asked_at.setdefault(name, self._clock.monotonic())
            if self._inside[name] or asked_at != self._told_at.get(name):
                self._told_at[name] = asked_at
                self._control.note_use(name)

    def _is_idle(self, model: ServedModel, limit_s: float) -> bool:
        name = model.name
        is_used = self._inside[name] or self._granted[name] or model.num_running
        if not model.is_ready or is_used or name in self._settings.warm:
            return False
        return self._clock.monotonic() - self._last_asked(model) >= limit_s
