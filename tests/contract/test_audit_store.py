"""What every store promises about the audit."""

import asyncio
from dataclasses import replace

import pytest

from frontend_api.domain.audit import AuditEntry, AuditFilter
from frontend_api.domain.errors import NotFound
from frontend_api.ports import Store
from tests.contract.stores import NOW, Opener

ANY = AuditFilter()


def an_entry(number: int, **given: object) -> AuditEntry:
    entry = AuditEntry(
        id=f"audit_{number:024x}",
        at=NOW + number,
        actor="$key",
        action="admin_keys.create_key",
        subject="0123456789ab",
        outcome="done",
        request_id="req_1",
        address="127.0.0.1",
    )
    return replace(entry, **given)  # type: ignore[arg-type]


async def test_entries_come_back_the_newest_first_in_pages(store: Store) -> None:
    entries = [an_entry(number) for number in range(4)]
    same_time = replace(entries[3], id="audit_z", count=2**40, outcome="{$ne}")
    await store.add_entries([*entries, same_time])

    first = await store.entries(ANY, after=None, limit=3)
    second = await store.entries(ANY, after=first.entries[-1].id, limit=3)

    assert list(first.entries) == [same_time, entries[3], entries[2]]
    assert list(second.entries) == [entries[1], entries[0]]
    assert (first.has_more, second.has_more) == (True, False)


async def test_an_entry_that_comes_twice_is_there_once_and_unchanged(opener: Opener) -> None:
    async with opener() as one, opener() as other:
        await asyncio.gather(
            *(store.add_entries([an_entry(1), an_entry(2)]) for store in [one, other] * 5)
        )
        await one.add_entries([an_entry(1, actor="forger")])

        assert list((await other.entries(ANY, after=None, limit=9)).entries) == [
            an_entry(2),
            an_entry(1),
        ]


async def test_entries_of_an_actor_or_an_action_are_found(store: Store) -> None:
    mine, refused = an_entry(1, actor="mine"), an_entry(2, action="request.refused")
    await store.add_entries([an_entry(0), mine, refused])

    by_actor = await store.entries(AuditFilter(actor="mine"), after=None, limit=9)
    by_action = await store.entries(AuditFilter(action="request.refused"), after=None, limit=9)
    by_both = await store.entries(AuditFilter("mine", "request.refused"), after=None, limit=9)

    assert (list(by_actor.entries), list(by_action.entries)) == ([mine], [refused])
    assert list(by_both.entries) == []


async def test_a_page_after_nothing_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.entries(ANY, after="audit_nothing", limit=1)


async def test_old_entries_are_removed(store: Store) -> None:
    await store.add_entries([an_entry(number) for number in range(3)])

    assert await store.delete_entries(NOW + 2) == 2
    assert list((await store.entries(ANY, after=None, limit=9)).entries) == [an_entry(2)]
