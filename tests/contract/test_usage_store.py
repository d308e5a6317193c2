"""What every store promises about usage: it is added up by day, key and model."""

import asyncio
from dataclasses import replace

import pytest

from frontend_api.domain.budgets import UsageRow
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
FIRST, LAST = "2026-11-01", "2026-11-30"


async def test_what_workers_add_at_once_is_summed(opener: Opener) -> None:
    async with opener() as one, opener() as other:
        await asyncio.gather(*(store.add_usage([ROW, ROW]) for store in [one, other] * 5))

        found = await one.usage(FIRST, LAST)

    assert found == [
        replace(ROW, num_requests=20, prompt_tokens=100, cached_tokens=40, completion_tokens=60)
    ]


async def test_usage_is_found_by_days_and_key_and_sorted(store: Store) -> None:
    by_model = replace(ROW, model="$other.model")
    unkeyed = replace(ROW, key_id="")
    before = replace(ROW, day="2026-10-31")
    await store.add_usage([ROW, by_model, unkeyed, before])

    assert await store.usage(FIRST, LAST) == [unkeyed, by_model, ROW]
    assert await store.usage("2026-10-31", "2026-11-22", key_id=ROW.key_id) == [
        *(before, by_model, ROW)
    ]
    assert await store.usage("2026-11-23", LAST) == []


@pytest.mark.parametrize("key_id", ["$ne", "nobody"])
async def test_a_key_without_usage_has_no_rows(store: Store, key_id: str) -> None:
    await store.add_usage([ROW])

    assert await store.usage(FIRST, LAST, key_id=key_id) == []
