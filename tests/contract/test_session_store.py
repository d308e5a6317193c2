"""Sessions in every store: limits, pages, changes, expiry."""

import asyncio
from dataclasses import replace

import pytest

from frontend_api.domain.errors import Conflict, LimitReached, NotFound
from frontend_api.domain.sessions import SessionChanges
from frontend_api.ports import Store
from tests.contract.stores import (
    ALICE,
    MALLORY,
    NOW,
    Opener,
    a_message,
    a_session,
    an_answer,
    with_session,
)


async def ids_of_pages(store: Store, limit: int) -> list[str]:
    ids: list[str] = []
    has_more = True
    while has_more:
        page = await store.sessions(ALICE, NOW, after=ids[-1] if ids else None, limit=limit)
        ids += [session.id for session in page.sessions]
        has_more = page.has_more
    return ids


async def test_session_comes_back_as_it_was_stored(store: Store) -> None:
    session = a_session(
        title="Über allen Gipfeln",
        title_source="user",
        is_pinned=True,
        metadata={"topic": "poems", "b": "2", "a": "1"},
        head="msg_9",
        head_version=3,
        num_messages=4,
        expires_at=NOW + 100,
    )

    await store.create_session(session, 0)

    assert await store.session(ALICE, "conv_1", NOW) == session


async def test_unknown_session_is_none(store: Store) -> None:
    assert await store.session(ALICE, "conv_1", NOW) is None
    assert await store.change_session(ALICE, "conv_1", SessionChanges(title="x")) is None
    assert not await store.delete_session(ALICE, "conv_1")


async def test_second_session_of_the_same_id_is_a_conflict(store: Store) -> None:
    await store.create_session(a_session(title="first"), 0)

    with pytest.raises(Conflict):
        await store.create_session(a_session(title="second"), 0)

    kept = await store.session(ALICE, "conv_1", NOW)
    assert kept is not None
    assert kept.title == "first"


async def test_two_owners_may_use_the_same_session_id(store: Store) -> None:
    await store.create_session(a_session(title="mine"), 0)
    await store.create_session(a_session(owner=MALLORY, title="theirs"), 0)

    mine = await store.session(ALICE, "conv_1", NOW)
    assert mine is not None
    assert mine.title == "mine"
    assert await store.delete_session(MALLORY, "conv_1")
    assert await store.session(ALICE, "conv_1", NOW) == mine


async def test_owner_may_have_so_many_sessions_and_no_more(store: Store) -> None:
    for number in range(3):
        await store.create_session(a_session(f"conv_{number}"), 3)

    with pytest.raises(LimitReached):
        await store.create_session(a_session("conv_3"), 3)

    await store.create_session(a_session("conv_3", owner=MALLORY), 3)
    assert await store.delete_session(ALICE, "conv_0")
    await store.create_session(a_session("conv_3"), 3)


async def test_expired_sessions_do_not_count_and_their_id_is_free(store: Store) -> None:
    await store.create_session(a_session(expires_at=NOW + 10), 1)
    later = a_session(created_at=NOW + 10, updated_at=NOW + 10)

    await store.create_session(later, 1)

    assert await store.session(ALICE, "conv_1", NOW + 11) == later
    assert await store.messages(ALICE, "conv_1") == []


async def test_one_id_created_at_once_by_many_is_created_once(opener: Opener) -> None:
    async with opener() as one, opener() as other:
        results = await asyncio.gather(
            *(store.create_session(a_session(), 0) for store in (one, other) for _ in range(10)),
            return_exceptions=True,
        )

    assert results.count(None) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 19


async def test_limit_holds_when_sessions_are_created_at_once(opener: Opener) -> None:
    async with opener() as one, opener() as other:
        results = await asyncio.gather(
            *((one, other)[n % 2].create_session(a_session(f"conv_{n}"), 5) for n in range(20)),
            return_exceptions=True,
        )
        page = await one.sessions(ALICE, NOW, after=None, limit=100)

    assert results.count(None) == 5
    assert sum(isinstance(result, LimitReached) for result in results) == 15
    assert len(page.sessions) == 5


async def test_pinned_sessions_come_first_then_the_last_changed(store: Store) -> None:
    for number, (is_pinned, changed) in enumerate([(0, 1), (1, 2), (0, 5), (1, 4), (0, 3)]):
        session = a_session(f"conv_{number}", updated_at=NOW + changed, is_pinned=bool(is_pinned))
        await store.create_session(session, 0)

    page = await store.sessions(ALICE, NOW, after=None, limit=10)

    assert [session.id[-1] for session in page.sessions] == ["3", "1", "2", "4", "0"]
    assert not page.has_more


async def test_pages_put_together_are_the_whole_list(store: Store) -> None:
    for number in range(7):
        # Three of them changed at the same moment.
        moment = NOW + max(0, number - 2)
        session = a_session(f"conv_{number}", updated_at=moment, is_pinned=number % 3 == 0)
        await store.create_session(session, 0)
    whole = await store.sessions(ALICE, NOW, after=None, limit=100)

    lists = [await ids_of_pages(store, limit) for limit in (1, 2, 3, 7, 8)]

    assert lists == [[session.id for session in whole.sessions]] * 5
    assert len(whole.sessions) == 7


async def test_page_after_an_unknown_session_is_not_found(store: Store) -> None:
    await store.create_session(a_session(owner=MALLORY), 0)

    with pytest.raises(NotFound):
        await store.sessions(ALICE, NOW, after="conv_1", limit=10)


async def test_change_sets_what_is_given_and_leaves_the_rest(store: Store) -> None:
    session = a_session(title="old", metadata={"a": "1"})
    await store.create_session(session, 0)

    changed = await store.change_session(
        ALICE, "conv_1", SessionChanges(title="new", title_source="user", is_pinned=True)
    )

    assert changed == replace(session, title="new", title_source="user", is_pinned=True)
    assert await store.session(ALICE, "conv_1", NOW) == changed


async def test_change_can_set_false_and_empty_values(store: Store) -> None:
    await store.create_session(a_session(title="old", is_pinned=True, metadata={"a": "1"}), 0)

    changed = await store.change_session(
        ALICE,
        "conv_1",
        SessionChanges(
            title="", is_pinned=False, metadata={}, updated_at=NOW + 1, expires_at=NOW + 9
        ),
    )

    assert changed == a_session(updated_at=NOW + 1, expires_at=NOW + 9)


async def test_change_leaves_a_session_that_was_named_meanwhile(store: Store) -> None:
    mine = a_session(title="mine", title_source="user")
    await store.create_session(mine, 0)
    ours = SessionChanges(
        title="ours", title_source="model", is_pinned=True, seen_title_source="words"
    )

    assert await store.change_session(ALICE, "conv_1", ours) is None

    assert await store.session(ALICE, "conv_1", NOW) == mine
    seen = replace(ours, seen_title_source="user")
    assert await store.change_session(ALICE, "conv_1", seen) == replace(
        mine, title="ours", title_source="model", is_pinned=True
    )


async def test_change_of_nothing_returns_the_session(store: Store) -> None:
    await store.create_session(a_session(title="old"), 0)

    assert await store.change_session(ALICE, "conv_1", SessionChanges()) == a_session(title="old")


async def test_deleted_session_takes_its_messages_along(store: Store) -> None:
    await with_session(store, a_message("msg_1"), an_answer())

    assert await store.delete_session(ALICE, "conv_1")

    assert await store.session(ALICE, "conv_1", NOW) is None
    assert await store.messages(ALICE, "conv_1") == []
    assert await store.message(ALICE, "resp_1") is None
    assert not await store.delete_session(ALICE, "conv_1")


async def test_expired_session_is_as_if_it_were_not_there(store: Store) -> None:
    await store.create_session(a_session(expires_at=NOW + 10), 0)

    page = await store.sessions(ALICE, NOW + 10, after=None, limit=10)

    assert list(page.sessions) == []
    assert await store.session(ALICE, "conv_1", NOW + 9) is not None
    assert await store.session(ALICE, "conv_1", NOW + 10) is None
    with pytest.raises(NotFound):
        await store.append([a_message("msg_1")], 0, NOW + 10)


async def test_delete_expired_removes_what_is_over_and_counts_it(store: Store) -> None:
    await with_session(store, a_message("msg_1"))
    await store.change_session(ALICE, "conv_1", SessionChanges(expires_at=NOW + 10))
    await store.create_session(a_session("conv_2", expires_at=NOW + 11), 0)
    await store.create_session(a_session("conv_3"), 0)

    assert await store.delete_expired(NOW + 10) == 1

    assert await store.message(ALICE, "msg_1") is None
    assert [
        session.id for session in (await store.sessions(ALICE, NOW, after=None, limit=9)).sessions
    ] == ["conv_3", "conv_2"]
    assert await store.delete_expired(NOW + 10) == 0


async def test_delete_expired_removes_more_than_fit_into_one_step(store: Store) -> None:
    for number in range(120):
        await store.create_session(a_session(f"conv_{number}", expires_at=NOW), 0)

    assert await store.delete_expired(NOW) == 120


async def test_store_answers_a_ping(store: Store) -> None:
    assert await store.ping()
