"""Usage: counted once a generation has ended, kept while the store is away, bounded."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from frontend_api.domain.budgets import UsageFilter, UsagePage, UsageRow
from frontend_api.domain.errors import StoreLost
from frontend_api.domain.generation import Usage
from frontend_api.service.admission import Work
from frontend_api.service.callers import Caller
from frontend_api.service.usage import UsageCount
from tests.web.fakes import DEMO, FixedClock

ROW = UsageRow(
    day="2023-11-14",
    key_id="k",
    model="demo",
    num_requests=1,
    prompt_tokens=5,
    cached_tokens=1,
    completion_tokens=2,
)

TODAY = UsageFilter(first_day=ROW.day, last_day=ROW.day)


class ListStore:
    """Keeps the rows as they come, unless it is told to fail, each time when `may_go_on` is set."""

    def __init__(self) -> None:
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.rows: list[UsageRow] = []
        self.failure: Exception | None = None

    async def add_usage(self, rows: Sequence[UsageRow]) -> None:
        if self.failure is not None:
            raise self.failure
        self.rows += rows
        # They are kept; that is told later.
        await self.may_go_on.wait()

    async def usage(self, wanted: UsageFilter, limit: int) -> UsagePage:
        rows = [row for row in self.rows if wanted.first_day <= row.day <= wanted.last_day]
        return UsagePage(rows[:limit], {}, len(rows) > limit)


def work(**given: object) -> Work:
    made = Work(
        caller=Caller(key_id="k"),
        model=DEMO,
        request_id="",
        num_sequences=1,
        max_tokens=None,
        usage=Usage(prompt_tokens=5, completion_tokens=2, cached_tokens=1),
    )
    return replace(made, **given)  # type: ignore[arg-type]


@asynccontextmanager
async def counting() -> AsyncIterator[tuple[ListStore, UsageCount]]:
    store = ListStore()
    usage = UsageCount(store, FixedClock())
    async with usage.open():
        yield store, usage


async def used(usage: UsageCount, *works: Work) -> None:
    for each in works:
        async with usage.entered(each):
            await usage.accepted(each)


async def test_a_request_that_is_asked_again_is_counted_once() -> None:
    async with counting() as (store, usage):
        await used(usage, work(usage=Usage()), work(num_attempts=2))

    assert store.rows == [ROW]


async def test_usage_is_summed_by_key_and_model_and_written_at_the_end() -> None:
    async with counting() as (store, usage):
        await used(usage, work(), work(), work(caller=Caller()), work(is_own=True))

    unkeyed = replace(ROW, key_id="")
    assert store.rows == [
        replace(row, num_requests=2, prompt_tokens=10, cached_tokens=2, completion_tokens=4)
        for row in (ROW, unkeyed)
    ]


async def test_what_runs_is_counted_every_second_and_nothing_twice() -> None:
    running = work(usage=Usage())
    async with counting() as (store, usage), usage.entered(running):
        running.usage.prompt_tokens = 5
        await usage.write()
        await usage.write()
        told = list(store.rows)
        running.usage.completion_tokens, running.usage.cached_tokens = 2, 1

    assert told == [replace(ROW, cached_tokens=0, completion_tokens=0)]
    assert store.rows == [*told, replace(ROW, num_requests=0, prompt_tokens=0)]


async def test_a_generation_that_fails_is_counted_as_far_as_it_came() -> None:
    async with counting() as (store, usage):
        with pytest.raises(RuntimeError):
            async with usage.entered(work()):
                raise RuntimeError("It broke.")

    assert store.rows == [ROW]


async def test_what_has_just_ended_is_shown() -> None:
    async with counting() as (_, usage):
        await used(usage, work())

        assert (await usage.page(TODAY, 10)).rows == [ROW]


async def test_who_leaves_while_it_is_written_has_nothing_counted_twice() -> None:
    async with counting() as (store, usage):
        await used(usage, work())
        store.may_go_on.clear()
        reading = asyncio.create_task(usage.page(TODAY, 10))
        async with asyncio.timeout(5):
            while not store.rows:  # noqa: ASYNC110
                await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        store.may_go_on.set()

    assert store.rows == [ROW]


@pytest.mark.parametrize("failure", [StoreLost("Away."), RuntimeError("It broke.")])
async def test_nothing_is_lost_while_the_store_is_away(failure: Exception) -> None:
    async with counting() as (store, usage):
        await used(usage, work())
        store.failure = failure
        if isinstance(failure, StoreLost):
            assert not await usage.write()
        else:
            with pytest.raises(RuntimeError):
                await usage.write()
        await used(usage, work(model=replace(DEMO, name="other")))
        store.failure = None

        assert await usage.write()

    assert store.rows == [ROW, replace(ROW, model="other")]
