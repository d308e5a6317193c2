"""Notices that a model's process is dead or hangs, and gets the model served again.

Measured on Triton 2.51 after `kill -9` of a stub: model, index and server still say ready; a new
request fails after 1.0 s ("Stub process 'm_0_0' is not healthy"); a stream in flight gets neither
a token nor an error; `load` alone does nothing. `unload` (3 ms) makes the model not ready at
once, and `load` brings it back: as fast as a restart of tritonserver, and no other model stops.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Protocol

from scripts.launcher.stubs import Stub
from scripts.launcher.triton_client import ProcessDeadError, TritonUnreachableError

ROUND_S = 0.5  # a new model is found within this; the death of a watched process wakes us at once
PROBE_PERIOD_S = 5.0
MAX_FAILED_PROBES = 3  # a busy model may miss one; three in a row (10 to 20 s) is a hang


class Triton(Protocol):
    """What the watch asks of Triton (see triton_client.py); raises TritonUnreachableError."""

    async def ready_models(self) -> set[str]:
        """Return the models Triton calls ready."""
        ...

    async def describe(self, model: str) -> None:
        """Let the model's process answer; raises ProcessDeadError if there is none."""
        ...

    async def reload(self, model: str) -> None:
        """Replace the model's process."""
        ...


class StubWatch:
    """Watches the models of one run of tritonserver.

    find: the process of a model, None while there is none (not every model has one).
    """

    def __init__(
        self, triton: Triton, find: Callable[[str], Stub | None], say: Callable[[str], None]
    ) -> None:
        self._triton = triton
        self._find = find
        self._say = say
        self._stubs: dict[str, Stub] = {}
        self._without_process: set[str] = set()
        self._failed_probes: dict[str, int] = {}
        self._next_probe_at = 0.0
        self._is_dead = asyncio.Event()

    async def run(self) -> None:
        """Watch until cancelled. Raises TritonUnreachableError when a reload fails."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._follow_models()
                await self._reload_dead()
                if loop.time() >= self._next_probe_at:
                    await self._probe()
                    self._next_probe_at = loop.time() + PROBE_PERIOD_S
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ROUND_S):
                        await self._is_dead.wait()
        finally:
            for model in list(self._stubs):
                self._forget(model)

    async def _follow_models(self) -> None:
        """Watch what Triton calls ready and nothing else: an unloaded model's process may end."""
        try:
            ready = await self._triton.ready_models()
        except TritonUnreachableError:
            return  # it is starting or stopping; its own end is noticed elsewhere
        for model in self._stubs.keys() - ready:
            self._forget(model)
        self._without_process &= ready
        for model in ready - self._stubs.keys() - self._without_process:
            self._watch(model)
            if model not in self._stubs:
                await self._ask_for_process(model)

    async def _ask_for_process(self, model: str) -> None:
        """Tell a model that needs no process from one whose process died before we saw it."""
        try:
            await self._triton.describe(model)
        except ProcessDeadError:
            await self._reload(model)
        except TritonUnreachableError:
            self._without_process.add(model)

    def _watch(self, model: str) -> None:
        stub = self._find(model)
        if stub is not None:
            self._stubs[model] = stub
            asyncio.get_running_loop().add_reader(stub.descriptor, self._is_dead.set)

    def _forget(self, model: str) -> None:
        stub = self._stubs.pop(model)
        self._failed_probes.pop(model, None)
        asyncio.get_running_loop().remove_reader(stub.descriptor)
        stub.close()

    async def _reload_dead(self) -> None:
        self._is_dead.clear()
        for model in [name for name, stub in self._stubs.items() if stub.is_dead()]:
            self._forget(model)
            self._watch(model)  # unloaded and loaded on purpose since the last round?
            if model not in self._stubs:
                await self._reload(model)

    async def _reload(self, model: str) -> None:
        self._say(f"The process of model {model} has died; loading it again.")
        await self._triton.reload(model)
        self._say(f"Model {model} is loaded again.")

    async def _probe(self) -> None:
        for model, stub in self._stubs.items():
            try:
                await self._triton.describe(model)
                self._failed_probes[model] = 0
            except TritonUnreachableError:
                self._failed_probes[model] = self._failed_probes.get(model, 0) + 1
            if self._failed_probes[model] >= MAX_FAILED_PROBES and not stub.is_dead():
                self._say(f"The process of model {model} does not answer; ending it.")
                os.kill(stub.pid, signal.SIGKILL)
