"""Starts Triton and the API, says when they answer, keeps them running, and stops them."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from scripts.launcher import ports, services
from scripts.launcher.child import running_guard
from scripts.launcher.errors import LaunchError
from scripts.launcher.plan import ROOT, Plan
from scripts.launcher.readiness import wait_until_ready
from scripts.launcher.service import Service
from scripts.launcher.services import Surroundings

START_LIMIT_S = 600.0  # a big model takes minutes to load
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Where a server that listens on every address is reached from here.
_REACHED_AT = {"0.0.0.0": ports.LOOPBACK, "::": "::1"}  # noqa: S104


async def launch(plan: Plan, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; nothing that was started is left when this returns.

    Raises LaunchError when a port is taken or a service cannot start.
    """
    port = ports.check_listenable(plan.host, plan.port)
    prefix = f"conch_{os.getpid()}_"
    async with contextlib.AsyncExitStack() as stack:
        around = Surroundings(
            folder=_run_folder(port),
            environ=environ,
            guard=await stack.enter_async_context(running_guard(prefix)),
            shared_memory_prefix=prefix,
            say=say,
        )
        triton_url = plan.triton_url
        started: list[Service] = []
        if triton_url is None:
            triton = stack.enter_context(services.own_triton(plan, around))
            triton_url = triton.address
            started.append(triton)
        else:
            say(f"Using the Triton at {triton_url}.")
        started.append(stack.enter_context(services.api(plan, port, triton_url, around)))
        await _keep(started, plan, port, say)


async def _keep(
    started: Sequence[Service], plan: Plan, port: int, say: Callable[[str], None]
) -> None:
    stop = asyncio.Event()
    with _signals(stop, started):
        tasks = {
            asyncio.create_task(stop.wait()),
            asyncio.create_task(_announce(started, plan.host, port, say)),
            *(asyncio.create_task(service.run()) for service in started),
        }
        pending = tasks
        try:
            while not stop.is_set():
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            say("Stopping ...")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for service in reversed(started):  # the API first: it drains its streams
                await service.stop()


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


@contextlib.contextmanager
def _signals(stop: asyncio.Event, started: Sequence[Service]) -> Iterator[None]:
    """Set `stop` at the first signal to end, and kill the services at the second."""

    def on_signal() -> None:
        if stop.is_set():
            for service in started:
                service.kill()
        stop.set()

    loop = asyncio.get_running_loop()
    # Under nohup a hang-up stays ignored.
    is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    numbers = _STOP_SIGNALS if is_nohup else (*_STOP_SIGNALS, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _run_folder(port: int) -> Path:
    """Return the folder of this run's logs and Triton's backends, named after the port."""
    folder = ROOT / ".run" / str(port)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise LaunchError(f"Conch cannot write to {folder}: {exc.strerror}.", exit_code=2) from exc
    return folder
