"""The audit: bounded, folded, and never in anybody's way."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from frontend_api.adapters.sqlite import memory_store
from frontend_api.domain.audit import AuditEntry, AuditFilter
from frontend_api.domain.errors import BudgetSpent, ContentRefused, StoreLost
from frontend_api.domain.generation import Usage
from frontend_api.ports import Store
from frontend_api.service.admission import Work
from frontend_api.service.audit import MANY, MAX_BURST, MAX_WAITING, Audit, Happening
from frontend_api.service.callers import Caller
from tests.web.fakes import DEMO, FixedClock

ANY = AuditFilter()
REFUSAL = Happening(actor="10.0.0.1", action="request.refused", outcome="invalid_api_key")


class FailingStore:
    """A store that is away until `is_back`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.is_back = False

    async def add_entries(self, entries: Sequence[AuditEntry]) -> None:
        if not self.is_back:
            raise StoreLost("away")
        await self.store.add_entries(entries)


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Store, Audit]]:
    store = memory_store()
    async with store.running():
        yield store, Audit(store, FixedClock(), days=1)


async def written(audit: Audit) -> Sequence[AuditEntry]:
    return (await audit.page(ANY, after=None, limit=10_000)).entries


async def test_equal_things_are_one_entry_with_their_number() -> None:
    async with opened() as (_, audit):
        for number in range(1000):
            audit.note(REFUSAL, f"req_{number}")
        (entry,) = await written(audit)

    assert (entry.count, entry.request_id, entry.actor) == (1000, "req_0", "10.0.0.1")


async def test_a_flood_of_different_things_fills_a_bounded_place_and_is_counted_whole() -> None:
    async with opened() as (_, audit):
        for number in range(5 * MAX_WAITING):
            audit.note(Happening(actor=str(number), action="x", outcome="y", subject="s" * 10_000))
        entries = await written(audit)

    assert len(entries) == MAX_WAITING + 1
    assert sum(entry.count for entry in entries) == 5 * MAX_WAITING
    assert MANY in {entry.actor for entry in entries}
    assert max(len(entry.subject) for entry in entries) == 200


async def test_refusals_fill_the_database_no_faster_than_they_may_and_none_is_lost() -> None:
    admin = Happening(actor="k", action="admin_keys.create_key", outcome="done")
    async with opened() as (store, audit):
        for number in range(MAX_BURST + MAX_WAITING):
            audit.note(replace(REFUSAL, actor=str(number)))
            if number % 100 == 0:
                await audit.write()
        audit.note(admin)
        await audit.write()
        kept = (await store.entries(ANY, after=None, limit=10_000)).entries
        shown = await written(audit)

    assert len(kept) == MAX_BURST + 1
    assert "admin_keys.create_key" in {entry.action for entry in kept}
    # Who reads it sees what waits as well.
    assert sum(entry.count for entry in shown) == MAX_BURST + MAX_WAITING + 1


async def test_what_happens_while_the_store_is_away_is_written_when_it_is_back() -> None:
    async with opened() as (store, _):
        failing = FailingStore(store)
        audit = Audit(failing, FixedClock(), days=0)  # type: ignore[arg-type]
        audit.note(REFUSAL, "req_1")
        await audit.write()
        audit.note(REFUSAL, "req_2")
        failing.is_back = True
        await audit.write()
        (entry,) = (await store.entries(ANY, after=None, limit=9)).entries

    assert (entry.count, entry.request_id) == (2, "req_1")


async def test_the_last_of_it_is_written_at_the_end_and_the_old_removed_at_the_start() -> None:
    async with opened() as (store, audit):
        old = AuditEntry(
            id="audit_old",
            at=FixedClock().now() - 2 * 86_400,
            actor="",
            action="",
            subject="",
            outcome="",
            request_id="",
            address="",
        )
        await store.add_entries([old])
        async with audit.running():
            async with asyncio.timeout(10):
                while (await store.entries(ANY, after=None, limit=9)).entries:  # noqa: ASYNC110
                    await asyncio.sleep(0)
            audit.note(REFUSAL)
        (entry,) = (await store.entries(ANY, after=None, limit=9)).entries

    assert entry.action == "request.refused"


@pytest.mark.parametrize(
    ("failure", "outcomes"),
    [
        (BudgetSpent("spent"), ["rate_limit_exceeded"]),
        (ExceptionGroup("", [ContentRefused()]), ["content_filter"]),
        (StoreLost("away"), []),
    ],
)
async def test_whom_the_gates_refuse_is_noted(failure: Exception, outcomes: list[str]) -> None:
    work = Work(
        caller=Caller(key_id="0123456789ab"),
        model=DEMO,
        request_id="req_1",
        num_sequences=1,
        max_tokens=None,
        usage=Usage(),
    )
    async with opened() as (_, audit):
        with pytest.raises(type(failure)):
            async with audit.entered(work):
                raise failure
        entries = await written(audit)

    assert [entry.outcome for entry in entries] == outcomes
    assert {(entry.actor, entry.subject) for entry in entries} <= {("0123456789ab", "demo")}
