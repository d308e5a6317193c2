"""A fleet of a measurement's own: started by `scripts/fleet`, found by what it prints, stopped."""

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from scripts.benchmark.cpu_time import tree_cpu_s
from scripts.launcher.bootstrap import ROOT
from scripts.launcher.errors import LaunchError
from scripts.scaling import control

_START_LIMIT_S = 300.0
_STOP_LIMIT_S = 60.0
_READY = re.compile(r"The fleet is ready: http://[\d.]+:(\d+)")


@dataclass(frozen=True)
class RunningFleet:
    """Where it is."""

    port: int

    async def pid(self, name: str) -> int:
        """Return the process of a part that runs."""
        pid = next(row.pid for row in await control.status(self.port) if row.name == name)
        if pid is None:
            raise LaunchError(f"{name} does not run.")
        return pid

    async def broken_by_others(self, name: str) -> int:
        """Return how many requests other parts of the same kind have broken off."""
        kind = name.rstrip("0123456789")
        rows = [row for row in await control.status(self.port) if row.name.startswith(kind)]
        return sum(row.broken or 0 for row in rows if row.name != name)

    async def cpu_s(self) -> dict[str, float]:
        """Return the processor time of all parts so far, by their names without numbers."""
        used: dict[str, float] = {}
        for row in await control.status(self.port):
            kind = row.name.rstrip("0123456789")
            used[kind] = used.get(kind, 0.0) + (tree_cpu_s(row.pid) if row.pid else 0.0)
        return used


@contextlib.asynccontextmanager
async def running_fleet(*arguments: str) -> AsyncIterator[RunningFleet]:
    """Yield a fleet on a free port; raises LaunchError with its words when it does not start."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "scripts.scaling", "--port", "0", *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    if process.stdout is None:
        raise RuntimeError("a pipe was asked for")
    reading: asyncio.Task[None] | None = None
    try:
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                port = await _port_said(process.stdout)
        except TimeoutError as exc:
            raise LaunchError(f"The fleet was not ready after {_START_LIMIT_S:.0f} s.") from exc
        reading = asyncio.create_task(_read_on(process.stdout))
        yield RunningFleet(port)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_LIMIT_S):
                await process.wait()
        except TimeoutError:
            process.kill()  # its guard ends what it started
            await process.wait()
        if reading is not None:
            await reading


async def _port_said(output: asyncio.StreamReader) -> int:
    seen: Sequence[str] = []
    async for line in output:
        seen = [*seen, line.decode(errors="replace")]
        if found := _READY.search(seen[-1]):
            return int(found[1])
    raise LaunchError("".join(seen).strip() or "The fleet did not start.")


async def _read_on(output: asyncio.StreamReader) -> None:
    async for _ in output:
        pass
