"""Starts Triton and the API, says when they answer, keeps them running, and stops them."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from frontend_api.logs import line_renderer
from scripts.launcher import ports, services
from scripts.launcher.child import running_guard
from scripts.launcher.entries import Entry
from scripts.launcher.errors import LaunchError
from scripts.launcher.keeping import keep
from scripts.launcher.plan import ROOT, Plan
from scripts.launcher.readiness import wait_until_ready
from scripts.launcher.service import Service
from scripts.launcher.service_log import LogStream
from scripts.launcher.services import Surroundings

START_LIMIT_S = 600.0  # a big model takes minutes to load
# Where a server that listens on every address is reached from here.
_REACHED_AT = {"0.0.0.0": ports.LOOPBACK, "::": "::1"}  # noqa: S104


async def launch(plan: Plan, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; nothing that was started is left when this returns.

    Raises LaunchError when a port is taken or a service cannot start.
    """
    port = ports.check_listenable(plan.host, plan.port)
    prefix = f"conch_{os.getpid()}_"
    folder = _run_folder(port)
    async with contextlib.AsyncExitStack() as stack:
        stream = LogStream(folder / "conch.log", line_renderer(plan.log_format))
        stack.callback(stream.close)
        say = _also_logged(say, stream)
        around = Surroundings(
            folder=folder,
            stream=stream,
            environ=environ,
            guard=await stack.enter_async_context(running_guard(prefix)),
            shared_memory_prefix=prefix,
            say=say,
        )
        triton_url = plan.triton_url
        started: list[Service] = []
        if triton_url is None:
            triton = await stack.enter_async_context(services.own_triton(plan, around))
            triton_url = triton.address
            started.append(triton)
        else:
            say(f"Using the Triton at {triton_url}.")
        started.append(stack.enter_context(services.api(plan, port, triton_url, around)))
        announcing = _announce(started, plan.host, port, say)
        runs = [announcing, *(service.run() for service in started)]
        await keep([[service] for service in started], runs, say)


def _also_logged(say: Callable[[str], None], stream: LogStream) -> Callable[[str], None]:
    def both(sentence: str) -> None:
        say(sentence)
        stream.add(Entry("info", sentence), "launcher")

    return both


async def _announce(
    started: Sequence[Service], host: str, port: int, say: Callable[[str], None]
) -> None:
    reached_at = _REACHED_AT.get(host, host)
    try:
        async with asyncio.timeout(START_LIMIT_S):
            await wait_until_ready(reached_at, port)
    except TimeoutError as exc:
        raise LaunchError(f"No model was ready after {START_LIMIT_S:.0f} s.") from exc
    for service in started:
        service.set_ready()
    in_url = f"[{reached_at}]" if ":" in reached_at else reached_at
    say(f"Conch is ready: http://{in_url}:{port}")


def _run_folder(port: int) -> Path:
    """Return the folder of this run's logs and Triton's backends, named after the port."""
    folder = ROOT / ".run" / str(port)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise LaunchError(f"Conch cannot write to {folder}: {exc.strerror}.", exit_code=2) from exc
    return folder
