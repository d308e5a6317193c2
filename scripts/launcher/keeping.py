"""Runs services until a signal ends them all; used by every command that starts some."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence

from scripts.launcher.service import Service

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def keep(
    stages: Sequence[Sequence[Service]],
    runs: Sequence[Coroutine[None, None, None]],
    say: Callable[[str], None],
) -> None:
    """Run until SIGINT or SIGTERM, or the first failure; then stop the services.

    stages: services that were started together; the last ones, which use the others, stop first.
    runs: what keeps them running, and whatever else belongs to that; cancelled at the end.
    """
    stop = asyncio.Event()
    with _signals(stop, [service for stage in stages for service in stage]):
        tasks = {asyncio.create_task(stop.wait()), *map(asyncio.create_task, runs)}
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
            for stage in reversed(stages):  # the API first: it drains its streams
                await asyncio.gather(*(service.stop() for service in stage))


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
