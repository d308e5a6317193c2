"""Children end with their owner, services are started again, dead models are loaded again."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import pytest

from scripts.launcher.child import Child, Command, Guard, running_guard
from scripts.launcher.entries import EntryReader
from scripts.launcher.errors import LaunchError
from scripts.launcher.guard import groups_left
from scripts.launcher.service import LONGEST_PAUSE_S, STABLE_AFTER_S, Pauses, Service
from scripts.launcher.service_log import LogStream, ServiceLog
from scripts.launcher.stub_watch import StubWatch
from scripts.launcher.stubs import Stub
from scripts.launcher.triton_client import ProcessDeadError, TritonUnreachableError

LIMIT_S = 20
SLEEPS = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
IGNORES_TERM = [
    sys.executable, "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN);"
    "print('up', flush=True); time.sleep(600)",
]  # fmt: skip
LEAVES_A_GRANDCHILD = [
    sys.executable, "-c",
    "import subprocess; print(subprocess.Popen(['sleep', '600'], stdout=-3).pid, flush=True)",
]  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ServiceLog]:
    with contextlib.closing(LogStream(tmp_path / "conch.log", str)) as stream:
        yield ServiceLog(stream, "service", EntryReader())


@pytest.fixture
async def guard() -> AsyncIterator[Guard]:
    async with running_guard("conch_test_") as guard:
        yield guard


def command(argv: list[str]) -> Command:
    return Command(argv, dict(os.environ))


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not is_true():  # noqa: ASYNC110 (processes have no Event)
            await asyncio.sleep(0.01)


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(
    log: ServiceLog, guard: Guard
) -> None:
    child = await Child.start(command(IGNORES_TERM), log, guard)
    await until(lambda: "up" in log.tail())

    await child.stop(grace_s=0.1)

    assert is_gone(child.pid)


async def test_what_a_child_leaves_behind_ends_with_it(log: ServiceLog, guard: Guard) -> None:
    child = await Child.start(command(LEAVES_A_GRANDCHILD), log, guard)

    code = await child.wait()

    assert code == 0
    await until(lambda: is_gone(int(log.tail())))


def test_the_guard_keeps_what_was_not_taken_back() -> None:
    assert groups_left(["+1\n", "+2\n", "-1\n", "+3\n"]) == {2, 3}


def test_the_guard_kills_what_a_killed_launcher_left() -> None:
    guard_file = Path(__file__).parents[3] / "scripts" / "launcher" / "guard.py"
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as orphan:
        told = f"+{orphan.pid}\n"

        subprocess.run(
            [sys.executable, "-I", guard_file, "conch_test_"], input=told, text=True, check=True
        )

        assert orphan.wait(LIMIT_S) == -signal.SIGKILL


def test_pauses_double_up_to_a_limit_and_are_short_again_after_a_stable_run() -> None:
    pauses = Pauses()

    taken = [pauses.after_run_of(1) for _ in range(8)]

    assert taken[:4] == [0.5, 1, 2, 4]
    assert taken[-1] == LONGEST_PAUSE_S
    assert pauses.after_run_of(STABLE_AFTER_S) == 0.5


@contextlib.asynccontextmanager
async def running(service: Service) -> AsyncIterator[None]:
    run = asyncio.create_task(service.run())
    try:
        yield
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        await service.stop()


async def test_a_service_that_dies_is_started_again(log: ServiceLog, guard: Guard) -> None:
    said: list[str] = []
    children: list[Child] = []

    async def start() -> Child:
        children.append(await Child.start(command(SLEEPS), log, guard))
        return children[-1]

    service = Service("The service", start, log, said.append, grace_s=5)
    async with running(service):
        await until(lambda: len(children) == 1)
        service.set_ready()

        os.kill(children[0].pid, signal.SIGKILL)

        await until(lambda: len(children) == 2)
    assert said == ["The service has ended (signal 9); starting it in 0.5 s."]
    assert all(is_gone(child.pid) for child in children)


async def test_a_service_that_is_restarted_ends_and_starts_without_a_pause_or_a_word(
    log: ServiceLog, guard: Guard
) -> None:
    said: list[str] = []
    service = Service(
        "The service",
        lambda: Child.start(command(SLEEPS), log, guard),
        log,
        said.append,
        grace_s=LIMIT_S,
    )
    async with running(service):
        await until(lambda: service.pid is not None)
        first = service.pid or 0

        await service.restart()

        await until(lambda: service.pid not in (None, first))
        assert is_gone(first)
    assert said == []


async def test_a_service_that_never_was_ready_is_an_error_with_the_end_of_its_log(
    log: ServiceLog, guard: Guard
) -> None:
    fails = command([sys.executable, "-c", "import sys; sys.exit('no such setting')"])
    service = Service("The API", lambda: Child.start(fails, log, guard), log, print, grace_s=5)

    with pytest.raises(LaunchError, match=r"(?s)The API did not start.*no such setting"):
        await service.run()


class FakeTriton:
    """Models, each with a real process that can be killed."""

    def __init__(self) -> None:
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.found: set[str] = set()
        self.loads: list[str] = []
        self.silent: set[str] = set()

    def load(self, model: str) -> None:
        self.processes[model] = subprocess.Popen(["sleep", "600"])

    def unload(self, model: str) -> None:
        process = self.processes.pop(model)
        process.kill()
        process.wait()

    def find(self, model: str) -> Stub | None:
        process = self.processes[model]
        if process.poll() is not None:
            return None
        self.found.add(model)
        return Stub(process.pid)

    async def ready_models(self) -> set[str]:
        return set(self.processes)

    async def describe(self, model: str) -> None:
        if self.processes[model].poll() is not None:
            raise ProcessDeadError("Stub process is not healthy")
        if model in self.silent:
            raise TritonUnreachableError("no answer")

    async def reload(self, model: str) -> None:
        self.unload(model)
        self.load(model)
        self.loads.append(model)


@pytest.fixture
async def triton() -> AsyncIterator[FakeTriton]:
    triton = FakeTriton()
    triton.load("demo")
    watch = asyncio.create_task(StubWatch(triton, triton.find, lambda _: None).run())
    yield triton
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    for model in list(triton.processes):
        triton.unload(model)


async def test_a_model_whose_process_dies_is_loaded_again(triton: FakeTriton) -> None:
    await asyncio.sleep(0)

    triton.processes["demo"].kill()

    await until(lambda: triton.loads == ["demo"])


async def test_a_model_that_died_before_it_was_watched_is_loaded_again(triton: FakeTriton) -> None:
    triton.load("late")
    triton.processes["late"].kill()
    triton.processes["late"].wait()

    await until(lambda: triton.loads == ["late"])


async def test_an_unloaded_model_is_left_alone(triton: FakeTriton) -> None:
    triton.load("other")
    await until(lambda: "other" in triton.found)

    triton.unload("demo")
    triton.processes["other"].kill()

    await until(lambda: triton.loads == ["other"])
    assert "demo" not in triton.processes
