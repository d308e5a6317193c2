"""A fleet while it runs: started in the right order, shown in a table, and ended as a whole."""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from frontend_api.logs import line_renderer
from scripts.launcher.child import running_guard
from scripts.launcher.errors import LaunchError
from scripts.launcher.keeping import keep
from scripts.launcher.plan import ROOT
from scripts.launcher.service import Service
from scripts.launcher.service_log import LogStream
from scripts.launcher.services import Surroundings
from scripts.scaling.control import Control
from scripts.scaling.mongods import primary_of
from scripts.scaling.parts import Parts, Shape, all_parts
from scripts.scaling.rolling import Rolling
from scripts.scaling.status import rows_of, table

START_LIMIT_S = 300.0
_POLL_PERIOD_S = 0.2
_STAGES = ("mongod", "triton", "haproxy", "frontend")


@contextlib.contextmanager
def fleet_folder(port: int) -> Iterator[Path]:
    """Yield an empty folder for the fleet on that port; at the end only its logs stay.

    Raises LaunchError (exit code 2) while another fleet has it.
    """
    folder = ROOT / ".run" / f"fleet-{port}"
    # HAProxy takes the port seconds after the start: until then nothing else keeps others away.
    with _held(port):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            _remove_all_but_logs(folder)


@contextlib.contextmanager
def _held(port: int) -> Iterator[None]:
    """Hold a name that only one process of this machine has, and that goes with it."""
    with socket.socket(socket.AF_UNIX) as name:
        try:
            name.bind(f"\0conch-fleet-{port}")
        except OSError as exc:
            raise LaunchError(
                f"Another scripts/fleet has port {port}; choose another --port.", exit_code=2
            ) from exc
        yield


def _remove_all_but_logs(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif not path.name.endswith((".log", ".log.1")):
            path.unlink(missing_ok=True)


async def run_fleet(
    shape: Shape, port: int, folder: Path, environ: Mapping[str, str], say: Callable[[str], None]
) -> None:
    """Serve on that port until SIGINT or SIGTERM; nothing that was started is left then.

    Raises LaunchError when something is missing or cannot start.
    """
    prefix = f"conch_{os.getpid()}_"
    async with contextlib.AsyncExitStack() as stack:
        stream = LogStream(folder / "fleet.log", line_renderer("json"))
        stack.callback(stream.close)
        around = Surroundings(
            folder=folder,
            stream=stream,
            environ=environ,
            guard=await stack.enter_async_context(running_guard(prefix)),
            shared_memory_prefix=prefix,
            say=say,
        )
        parts = await stack.enter_async_context(all_parts(shape, port, around))
        control = Control(parts, Rolling(parts, say), folder)
        await stack.enter_async_context(control.listening())
        has_store = asyncio.Event()
        stages = [[part.service for part in parts.of_kind(kind)] for kind in _STAGES]
        runs = [
            _announce(parts, has_store, say),
            *(service.run() for service in stages[0]),
            *(_run_after(has_store, service) for stage in stages[1:] for service in stage),
        ]
        await keep(stages, runs, say)


async def _run_after(event: asyncio.Event, service: Service) -> None:
    await event.wait()
    await service.run()


async def _announce(parts: Parts, has_store: asyncio.Event, say: Callable[[str], None]) -> None:
    """Open the way for the parts that need MongoDB, and say when everything serves."""
    say(f"Starting {', '.join(part.name for part in parts.all)} ...")
    try:
        async with asyncio.timeout(START_LIMIT_S):
            if parts.members:
                await parts.members[0].initiate(parts.members)
                await primary_of(parts.members)
            has_store.set()
            await _all_up(parts)
    except TimeoutError as exc:
        raise LaunchError(f"The fleet was not ready after {START_LIMIT_S:.0f} s.") from exc
    for part in parts.all:
        part.service.set_ready()
    say(table(await rows_of(parts)))
    web = next(part.address for part in parts.of_kind("haproxy"))
    say(f"The fleet is ready: http://{web} (Ctrl-C ends it)")


async def _all_up(parts: Parts) -> None:
    while True:
        try:
            servers: Sequence[object] = [
                server.status for server in (await parts.haproxy.servers()).values()
            ]
        except LaunchError:
            servers = []  # it has not started yet
        if servers and all(status == "UP" for status in servers):
            rows = await rows_of(parts)
            if all(row.state not in ("away", "starting") for row in rows):
                return
        await asyncio.sleep(_POLL_PERIOD_S)
