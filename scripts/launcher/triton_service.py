"""tritonserver as a service: each run has its own watch over the models' processes."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from scripts.launcher.child import Child, Guard
from scripts.launcher.guard import remove_shared_memory
from scripts.launcher.service import Service
from scripts.launcher.service_log import ServiceLog
from scripts.launcher.stub_watch import StubWatch
from scripts.launcher.stubs import find_stub
from scripts.launcher.triton_client import TritonUnreachableError, connected
from scripts.launcher.triton_server import TritonServer

# Measured on 2.51: 2 s from SIGTERM to the end with nothing in flight.
_GRACE_S = 3.0


class TritonService(Service):
    """Keeps a TritonServer and the models in it running."""

    def __init__(
        self,
        server: TritonServer,
        environ: Mapping[str, str],
        guard: Guard,
        log: ServiceLog,
        say: Callable[[str], None],
        *,
        name: str = "Triton",
    ) -> None:
        async def start() -> Child:
            return await Child.start(server.command(environ), log, guard)

        super().__init__(name, start, log, say, grace_s=_GRACE_S)
        self.address = server.address
        self._server = server
        self._watching: asyncio.Task[None] | None = None

    async def restart(self) -> None:
        """End Triton, whose models then end without having died, and let it start again."""
        if self._watching is not None:
            self._watching.cancel()
        await super().restart()

    async def accompany(self, child: Child) -> int:
        """Watch the models while this run lasts; a killed server leaves shared memory behind."""
        watch = self._watching = asyncio.create_task(self._watch(child))
        try:
            return await child.wait()
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
            remove_shared_memory(self._server.shared_memory_prefix)

    async def _watch(self, child: Child) -> None:
        async with connected(self.address) as triton:
            watch = StubWatch(triton, lambda model: find_stub(child.pid, model), self._say)
            try:
                await watch.run()
            except TritonUnreachableError as exc:
                self._say(f"The model could not be loaded again ({exc}); restarting Triton.")
                child.kill()
