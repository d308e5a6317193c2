"""Workers of one server stand in one line; here several of them in one process, and one killed."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from frontend_api.adapters.shared_lines import SharedLines
from frontend_api.service.line import Line
from tests.unit.frontend.standing import Standing, opened_line, settled, until, work_of

# Enters the line as another worker, says so, and stays until it is killed.
OTHER_WORKER = """
import asyncio, sys
from pathlib import Path
from frontend_api.adapters.shared_lines import SharedLines
from frontend_api.domain.fair_line import Bounds, Entry

async def main():
    lines = SharedLines(Path(sys.argv[1]))
    async with lines.opened(lambda: None):
        with lines.held("demo") as line:
            bounds = Bounds(1, 10)
            line.enter(Entry(worker=lines.worker, subject=7), bounds)
            line.serve(bounds)
        print("runs", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, as the address of a socket must be."""
    with tempfile.TemporaryDirectory(prefix="conch-lines-") as folder:
        yield Path(folder)


@asynccontextmanager
async def workers(folder: Path, number: int, **limits: object) -> AsyncIterator[list[Line]]:
    """Yield so many workers' lines."""
    async with AsyncExitStack() as opened:
        yield [
            await opened.enter_async_context(opened_line(SharedLines(folder), **limits))
            for _ in range(number)
        ]


def running(standing: list[Standing]) -> list[Standing]:
    return [each for each in standing if each.runs.is_set() and not each.task.done()]


async def test_workers_number_themselves(folder: Path) -> None:
    one, two = SharedLines(folder), SharedLines(folder)
    async with one.opened(lambda: None):
        async with two.opened(lambda: None):
            assert (one.worker, two.worker) == (0, 1)
            assert (one.lost(), two.lost()) == ([], [])
        assert one.lost() == [1]
        async with SharedLines(folder).opened(lambda: None):
            assert one.lost() == []


async def test_all_workers_together_let_in_no_more_than_the_model_runs(folder: Path) -> None:
    async with workers(folder, 4) as lines:
        standing = [Standing(work_of("a", max_sequences=10), line) for line in lines * 25]
        rounds = 0
        while any(not each.task.done() for each in standing):
            await until(lambda: len(running(standing)) >= 10)
            await settled()
            now = running(standing)
            assert len(now) == 10
            await asyncio.gather(*(each.end() for each in now))
            rounds += 1

    assert rounds == 10


async def test_a_single_request_at_another_worker_is_next(folder: Path) -> None:
    async with workers(folder, 2) as (here, there):
        first = Standing(work_of("a"), here)
        await first.until_it_runs()
        others = [Standing(work_of("a"), here) for _ in range(20)]
        await settled()
        single = Standing(work_of("b"), there)
        await settled()

        await first.end()
        await single.until_it_runs()

        assert not any(each.runs.is_set() for each in others)
        for each in [single, *others]:
            await each.leave()


async def test_weights_hold_across_workers(folder: Path) -> None:
    async with workers(folder, 2) as (here, there):
        heavy = [Standing(work_of("a", weight=3), here) for _ in range(60)]
        light = [Standing(work_of("b", weight=1), there) for _ in range(60)]
        order: list[str | None] = []
        for _ in range(60):
            await until(lambda: running(heavy + light) != [])
            (one,) = running(heavy + light)
            order.append(one.work.caller.key_id)
            await one.end()
        for each in heavy + light:
            await each.leave()

    assert 2.5 < order.count("a") / order.count("b") < 3.5


async def test_a_killed_workers_places_are_free_again(folder: Path) -> None:
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OTHER_WORKER, str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert other.stdout is not None
    assert await other.stdout.readline() == b"runs\n"
    async with workers(folder, 1) as (line,):
        waiting = Standing(work_of("a"), line)
        await settled()
        assert not waiting.runs.is_set()

        other.kill()
        await waiting.until_it_runs()
        await waiting.end()
    await other.wait()


async def test_who_takes_a_dead_workers_number_frees_its_places_in_all_lines(folder: Path) -> None:
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OTHER_WORKER, str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert other.stdout is not None
    assert await other.stdout.readline() == b"runs\n"
    async with workers(folder, 1) as (line,):
        other.kill()
        await other.wait()
        async with SharedLines(folder).opened(lambda: None):
            waiting = Standing(work_of("a"), line)
            await waiting.until_it_runs()
            await waiting.end()


async def test_a_line_that_another_worker_holds_is_tried_again(folder: Path) -> None:
    other = SharedLines(folder)
    async with workers(folder, 1) as (line,), other.opened(lambda: None):
        with other.held("demo") as held:
            assert held is not None
            one = Standing(work_of("a"), line)
            await settled()
            assert not one.runs.is_set()
        await one.until_it_runs()
        with other.held("demo") as held:
            assert held is not None
            await one.end()


async def test_nothing_but_the_tables_is_left_at_the_end(folder: Path) -> None:
    async with workers(folder, 2) as lines:
        for line in lines:
            one = Standing(work_of("a"), line)
            await one.until_it_runs()
            await one.end()

    names = await asyncio.to_thread(os.listdir, folder)
    assert [name for name in names if name.endswith(".sock")] == []
