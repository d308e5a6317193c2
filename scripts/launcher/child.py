"""One process group that the launcher owns: started, its output logged, stopped as a whole."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.launcher.service_log import ServiceLog

_CHUNK_BYTES = 65536
# A traceback that is not written on for so long is whole.
_SETTLE_S = 0.2


@dataclass(frozen=True)
class Command:
    """What to run: the argument list and the whole environment."""

    argv: Sequence[str]
    environ: Mapping[str, str]


class Guard:
    """The process that kills our groups if this one is killed (see guard.py)."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def tell(self, sign: str, group: int) -> None:
        """Add ("+") or remove ("-") a process group; a lost guard is not worth stopping for."""
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(f"{sign}{group}\n".encode())


@contextlib.asynccontextmanager
async def running_guard(shared_memory_prefix: str) -> AsyncIterator[Guard]:
    """Yield a guard that lives as long as the block."""
    path = str(Path(__file__).with_name("guard.py"))
    argv = [sys.executable, "-I", path, shared_memory_prefix]
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=PIPE, stdout=DEVNULL, start_new_session=True
    )
    try:
        yield Guard(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


class Child:
    """A started process; its group ends with it."""

    def __init__(self, process: Process, guard: Guard, pump: asyncio.Task[None]) -> None:
        self.pid = process.pid
        self._process = process
        self._guard = guard
        self._pump = pump

    @classmethod
    async def start(cls, command: Command, log: ServiceLog, guard: Guard) -> "Child":
        """Start `command` as the leader of a new session, its output going to `log`."""
        # A pipe of our own: with asyncio's, wait() would last as long as any heir of it lives.
        source, sink = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *command.argv,
                env=dict(command.environ),
                stdin=DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,  # Ctrl-C is the launcher's to handle
            )
        except BaseException:
            os.close(source)
            raise
        finally:
            os.close(sink)
        guard.tell("+", process.pid)
        return cls(process, guard, asyncio.create_task(_copy(source, log)))

    async def wait(self) -> int:
        """Return the exit code once the process and the rest of its group are gone."""
        code = await self._process.wait()
        self.kill()
        self._guard.tell("-", self.pid)
        await self._pump
        return code

    async def stop(self, grace_s: float) -> None:
        """Ask the process to end and, after `grace_s`, kill its group."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(grace_s):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            self.kill()
        await self.wait()

    def kill(self) -> None:
        """Kill whatever is left of the group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


async def copy_to(log: ServiceLog, reader: asyncio.StreamReader) -> None:
    """Log what is read until it ends."""
    try:
        while chunk := await reader.read(_CHUNK_BYTES):
            log.write(chunk)
            await _settle(log, reader)
    finally:
        log.end()


async def _settle(log: ServiceLog, reader: asyncio.StreamReader) -> None:
    """Log what comes in a burst; what waits for more of it when the burst is over is whole."""
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(_SETTLE_S):
                chunk = await reader.read(_CHUNK_BYTES)
            if not chunk:
                return
            log.write(chunk)
    log.settle()


async def _copy(source: int, log: ServiceLog) -> None:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(source, "rb", buffering=0)
    )
    try:
        await copy_to(log, reader)
    finally:
        transport.close()
