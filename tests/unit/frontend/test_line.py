"""The gate before a model: its turn, its refusals, and those who leave."""

import asyncio
from collections.abc import Collection

import pytest

from frontend_api.adapters.own_lines import OwnLines
from frontend_api.domain.errors import Overloaded, TooManyWaiting
from frontend_api.service.line import Line
from frontend_api.telemetry import Telemetry
from tests.unit.frontend.standing import LIMIT_S, Standing, opened_line, settled, until, work_of
from tests.web.running import settings


async def stood(line: Line, *keys: str | None, **fields: int) -> list[Standing]:
    """Return requests of these keys, in line in this order."""
    standing = []
    for key in keys:
        standing.append(Standing(work_of(key, **fields), line))  # type: ignore[arg-type]
        await settled()
    return standing


def running(standing: list[Standing]) -> list[int]:
    return [number for number, each in enumerate(standing) if each.runs.is_set()]


async def test_a_request_runs_at_once_when_there_is_a_place() -> None:
    async with opened_line() as line:
        (one,) = await stood(line, "a")

        assert one.runs.is_set()
        assert one.work.queue_position is None
        await one.end()


async def test_another_keys_single_request_is_next() -> None:
    async with opened_line() as line:
        first, *others = await stood(line, *["a"] * 10)
        (single,) = await stood(line, "b")

        await first.end()
        await settled()

        assert (running(others), single.runs.is_set()) == ([], True)
        for each in [single, *others]:
            await each.leave()


async def test_a_place_in_line_is_told_as_long_as_it_lasts() -> None:
    async with opened_line() as line:
        first, second, third = await stood(line, "a", "a", "a")

        assert [each.work.queue_position for each in (first, second, third)] == [None, 1, 2]
        await first.end()
        await second.until_it_runs()
        await until(lambda: third.work.queue_position == 1)

        assert second.work.queue_position is None
        await second.end()
        await third.end()


async def test_who_leaves_the_line_makes_way() -> None:
    async with opened_line() as line:
        first, second, third = await stood(line, "a", "b", "c")

        await second.leave()
        await first.leave()

        await third.until_it_runs()
        assert second.work.queue_position is None
        await third.end()


async def test_a_request_with_several_answers_takes_several_places() -> None:
    async with opened_line() as line:
        standing = await stood(line, "a", "a", places=2, max_sequences=3)

        assert running(standing) == [0]
        for each in standing:
            await each.leave()


async def test_a_setting_is_put_before_what_the_engine_does_at_once() -> None:
    async with opened_line(max_parallel_per_model=2) as line:
        standing = await stood(line, *["a"] * 3, max_sequences=64)

        assert running(standing) == [0, 1]
        for each in standing:
            await each.leave()


async def test_a_model_that_does_not_tell_has_no_line() -> None:
    async with opened_line() as line:
        standing = [Standing(work_of("a", max_sequences=None), line) for _ in range(300)]
        await settled()

        assert len(running(standing)) == 300
        for each in standing:
            await each.end()


async def test_a_look_that_fails_is_not_the_last_one() -> None:
    class NoFiles(OwnLines):
        num_asked = 0

        def lost(self) -> Collection[int]:
            self.num_asked += 1
            raise OSError("Too many open files")

    lines = NoFiles()
    async with opened_line(lines) as line:
        standing = await stood(line, "a", "a")

        await until(lambda: lines.num_asked > 1)
        for each in standing:
            await each.leave()


async def test_models_have_lines_of_their_own() -> None:
    async with opened_line() as line:
        one = Standing(work_of("a", model="one"), line)
        two = Standing(work_of("a", model="two"), line)

        await one.until_it_runs()
        await two.until_it_runs()
        await one.end()
        await two.end()


@pytest.mark.parametrize(("key", "who"), [("a", "API key"), (None, "address")])
async def test_who_fills_the_line_is_told_so(key: str | None, who: str) -> None:
    async with opened_line(max_queue_per_model=2) as line:
        standing = await stood(line, *[key] * 3)
        (late,) = await stood(line, key)

        with pytest.raises(TooManyWaiting, match=f"This {who} has too many") as refusal:
            await asyncio.wait_for(late.task, LIMIT_S)
        assert refusal.value.retry_after_s is not None
        assert refusal.value.retry_after_s >= 1
        for each in standing:
            await each.leave()


async def test_without_keys_each_address_has_its_turn() -> None:
    async with opened_line() as line:
        first, *others = await stood(line, *[None] * 5)
        neighbour = Standing(work_of(None, address="10.0.0.7"), line)
        await settled()

        await first.end()
        await neighbour.until_it_runs()

        assert running(others) == []
        for each in [neighbour, *others]:
            await each.leave()


async def test_a_full_line_takes_another_key_and_pushes_out_its_filler() -> None:
    async with opened_line(max_queue_per_model=2) as line:
        standing = await stood(line, "a", "a", "a")
        (other,) = await stood(line, "b")

        with pytest.raises(TooManyWaiting):
            await asyncio.wait_for(standing[-1].task, LIMIT_S)
        await standing[0].end()
        await other.until_it_runs()
        await other.end()
        await standing[1].end()


async def test_a_line_full_of_single_requests_is_our_fault() -> None:
    async with opened_line(max_queue_per_model=2) as line:
        standing = await stood(line, "a", "b", "c")
        (late,) = await stood(line, "d")

        with pytest.raises(Overloaded):
            await asyncio.wait_for(late.task, LIMIT_S)
        for each in standing:
            await each.leave()


async def test_who_stands_too_long_is_refused() -> None:
    async with opened_line(max_queue_s=0.01) as line:
        first, second = await stood(line, "a", "a")

        with pytest.raises(Overloaded):
            await asyncio.wait_for(second.task, LIMIT_S)
        await first.end()


async def test_own_work_ends_when_a_client_needs_its_place() -> None:
    async with opened_line() as line:
        own = Standing(work_of(None, is_own=True), line)
        await own.until_it_runs()

        (client,) = await stood(line, "a")
        await asyncio.wait([own.task])
        await client.until_it_runs()

        assert own.task.cancelled()
        await client.end()


async def test_own_work_costs_nobody_their_turn() -> None:
    async with opened_line() as line:
        own = Standing(work_of(None, is_own=True), line)
        await own.until_it_runs()
        await own.end()
        first, of_nobody, of_b = await stood(line, "a", None, "b")

        await first.end()

        await of_nobody.until_it_runs()
        assert not of_b.runs.is_set()
        await of_nobody.end()
        await of_b.end()


async def test_nothing_is_left_behind_however_requests_end() -> None:
    lines = OwnLines()
    async with opened_line(lines, max_queue_per_model=3) as line:
        standing = await stood(line, *"aabbccdd")
        await standing[0].end()
        for each in standing[1:]:
            await each.leave()

        with lines.held("demo") as shared:
            assert shared is not None
            assert shared.num_waiting == 0
            assert set(shared.positions()) == set()
        again = await stood(line, "a")
        assert running(again) == [0]
        await again[0].end()


async def test_the_line_is_measured() -> None:
    telemetry = Telemetry()
    line = Line(OwnLines(), settings(limits={"max_queue_per_model": 1}).limits, telemetry)
    async with line.running():
        standing = await stood(line, "a", "a", "a")
        page = telemetry.render().decode()
        for each in standing:
            await each.leave()

    assert 'conch_queue_length{model="demo"} 1.0' in page
    assert 'conch_queue_refused_total{code="too_many_waiting",model="demo"} 1.0' in page
