"""What every store promises about usage: it is added up by day, key and model."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from frontend_api.domain.budgets import UsageFilter, UsageRow
from frontend_api.ports import Store
from tests.contract.stores import Opener

ROW = UsageRow(
    day="2026-11-22",
    key_id="0123456789ab",
    model="demo",
    num_requests=1,
    prompt_tokens=5,
    cached_tokens=2,
    completion_tokens=3,
)
NOVEMBER = UsageFilter(first_day="2026-11-01", last_day="2026-11-30")
NUM_KEYS = 5_000
LIMIT = 100
NUM_ASKED = 30


async def used(store: Store, wanted: UsageFilter = NOVEMBER) -> Sequence[UsageRow]:
    return (await store.usage(wanted, LIMIT)).rows


async def test_what_workers_add_at_once_is_summed(opener: Opener) -> None:
    async with opener() as one, opener() as other:
        await asyncio.gather(*(store.add_usage([ROW, ROW]) for store in [one, other] * 5))

        found = await used(one)

    assert found == [
        replace(ROW, num_requests=20, prompt_tokens=100, cached_tokens=40, completion_tokens=60)
    ]


async def test_usage_is_found_by_days_key_and_model_and_sorted(store: Store) -> None:
    by_model = replace(ROW, model="$other.model")
    unkeyed = replace(ROW, key_id="")
    before = replace(ROW, day="2026-10-31")
    await store.add_usage([ROW, by_model, unkeyed, before])
    autumn = replace(NOVEMBER, first_day="2026-10-31")

    assert await used(store) == [unkeyed, by_model, ROW]
    assert await used(store, replace(autumn, key_id=ROW.key_id)) == [before, by_model, ROW]
    assert await used(store, replace(autumn, model="demo")) == [before, unkeyed, ROW]
    assert await used(store, replace(NOVEMBER, first_day="2026-11-23")) == []


async def test_the_totals_count_more_than_the_rows_that_are_told(store: Store) -> None:
    await store.add_usage([replace(ROW, key_id=str(number)) for number in range(5)])

    page = await store.usage(NOVEMBER, 3)
    nothing = await store.usage(replace(NOVEMBER, model="none"), 3)

    assert [row.key_id for row in page.rows] == ["0", "1", "2"]
    assert page.has_more
    assert page.totals == {
        "num_requests": 5,
        "prompt_tokens": 25,
        "cached_tokens": 10,
        "completion_tokens": 15,
    }
    assert (nothing.rows, nothing.has_more, set(nothing.totals.values())) == ([], False, {0})


@pytest.mark.parametrize("key_id", ["$ne", "nobody"])
async def test_a_key_without_usage_has_no_rows(store: Store, key_id: str) -> None:
    await store.add_usage([ROW])

    assert await used(store, replace(NOVEMBER, key_id=key_id)) == []


async def test_how_many_other_keys_there_are_does_not_matter(store: Store) -> None:
    async def asked_s() -> float:
        began = time.perf_counter()
        for number in range(NUM_ASKED):
            assert await used(store, replace(NOVEMBER, key_id=str(number)))
        return time.perf_counter() - began

    async def add(first: int, last: int) -> None:
        await store.add_usage([replace(ROW, key_id=str(each)) for each in range(first, last)])

    await add(0, NUM_ASKED)
    few_s = min([await asked_s() for _ in range(3)])
    await add(NUM_ASKED, NUM_KEYS)

    # Looking through all of them would take a hundred times as long.
    assert min([await asked_s() for _ in range(3)]) < 5 * few_s
