"""Messages in every store: the tree, its head, deletion, search."""

import asyncio
from dataclasses import replace

import pytest

from frontend_api.domain.answer_pieces import (
    CallArguments,
    CallsEnded,
    CallStarted,
    Content,
    Reasoning,
)
from frontend_api.domain.errors import Conflict, NotFound
from frontend_api.domain.generation import Timing, Usage
from frontend_api.domain.messages import Called, Message, Returned, Run, Said, Thought
from frontend_api.ports import Store
from tests.contract.stores import (
    ALICE,
    NOW,
    Opener,
    a_message,
    a_session,
    an_answer,
    an_ending,
    with_session,
)


async def found(
    store: Store, text: str, limit: int = 10, session_id: str | None = None
) -> list[str]:
    hits = await store.search(ALICE, text, NOW, limit=limit, session_id=session_id)
    return [hit.message_id for hit in hits]


async def test_message_comes_back_as_it_was_stored(store: Store) -> None:
    message = a_message(
        "msg_1",
        parent_id="msg_0",
        created_at=NOW + 0.25,
        said=(
            Said("user", "Grüße 👋"),
            Thought("hm"),
            Called("call_1", "look", '{"a": 1}'),
            Returned("call_1", "nothing"),
        ),
        removed=frozenset({1, 3}),
    )

    await with_session(store, message)

    assert await store.message(ALICE, "msg_1") == message


async def test_answer_comes_back_as_it_was_stored(store: Store) -> None:
    ending = an_ending(
        usage=Usage(7, 5, 2, 1),
        timing=Timing(0.1, None, 12.5),
        finish_reason="stop",
        reason="max_output_tokens",
        error_code="x",
        error_message="ü",
    )
    run = Run(
        model="demo",
        status="incomplete",
        worker="w",
        lease_until=NOW,
        settings='{"temperature":1}',
        pieces=(
            Reasoning("let me"),
            Reasoning(" see"),
            Content("So"),
            CallStarted(0, "call_1", "look"),
            CallArguments(0, '{"a":'),
            CallArguments(0, "1}"),
            CallsEnded(1, 0, is_cut=True),
        ),
        ending=ending,
        is_background=True,
        is_cancel_requested=True,
        num_dropped=3,
    )
    message = a_message("resp_1", said=(), run=run)

    await with_session(store, message)

    assert await store.message(ALICE, "resp_1") == message
    listed = (await store.messages(ALICE, "conv_1"))[0]
    joined = (
        Reasoning("let me see"),
        Content("So"),
        CallStarted(0, "call_1", "look"),
        CallArguments(0, '{"a":1}'),
        CallsEnded(1, 0, is_cut=True),
    )
    assert listed == replace(message, run=replace(run, pieces=joined))
    assert listed.items == message.items


async def test_unknown_message_is_none(store: Store) -> None:
    await with_session(store)

    assert await store.message(ALICE, "msg_1") is None
    assert await store.messages(ALICE, "conv_1") == []
    assert not await store.remove_items(ALICE, "msg_1", [0])
    assert not await store.delete_message(ALICE, "msg_1")
    assert not await store.request_cancel(ALICE, "msg_1")


async def test_append_moves_the_head_and_counts(store: Store) -> None:
    await with_session(store)

    session = await store.append([a_message("msg_1"), an_answer()], 0, NOW + 3)

    expected = a_session(head="resp_1", head_version=1, num_messages=2, updated_at=NOW + 3)
    assert session == expected
    assert await store.session(ALICE, "conv_1", NOW) == expected


async def test_append_to_a_head_that_moved_adds_nothing(store: Store) -> None:
    session = await with_session(store, a_message("msg_1"))

    for seen in (session.head_version - 1, session.head_version + 1, 2**80):
        with pytest.raises(Conflict):
            await store.append([a_message("msg_2"), an_answer()], seen, NOW)

    assert await store.message(ALICE, "msg_2") is None
    assert await store.session(ALICE, "conv_1", NOW) == session


async def test_append_to_an_unknown_session_adds_nothing(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.append([a_message("msg_1")], 0, NOW)

    assert await store.message(ALICE, "msg_1") is None


async def test_message_that_is_there_already_is_a_conflict_that_adds_nothing(store: Store) -> None:
    session = await with_session(store, a_message("msg_1"))

    with pytest.raises(Conflict):
        await store.append([a_message("msg_2"), a_message("msg_1")], session.head_version, NOW)

    assert await store.message(ALICE, "msg_2") is None
    assert await store.session(ALICE, "conv_1", NOW) == session


async def test_of_200_appends_at_once_one_wins(opener: Opener) -> None:
    async with opener() as one, opener() as other:
        await with_session(one)

        appends = ((one, other)[n % 2].append([a_message(f"msg_{n}")], 0, NOW) for n in range(200))
        results = await asyncio.gather(*appends, return_exceptions=True)

        session = await other.session(ALICE, "conv_1", NOW)
        messages = await one.messages(ALICE, "conv_1")

    assert [result for result in results if not isinstance(result, Conflict)] == [session]
    assert session is not None
    assert (session.head_version, session.num_messages) == (1, 1)
    assert [message.id for message in messages] == [session.head]


async def test_turns_at_once_that_look_again_all_get_in_once(opener: Opener) -> None:
    async with opener() as one, opener() as other:
        await with_session(one)

        async def turn(number: int) -> None:
            store = (one, other)[number % 2]
            while True:
                session = await store.session(ALICE, "conv_1", NOW)
                assert session is not None
                message = a_message(f"msg_{number}", parent_id=session.head)
                try:
                    await store.append([message], session.head_version, NOW)
                except Conflict:
                    continue
                return

        await asyncio.gather(*(turn(number) for number in range(10)))
        messages = await one.messages(ALICE, "conv_1")

    assert sorted(message.id for message in messages) == sorted(f"msg_{n}" for n in range(10))
    assert [message.parent_id for message in messages] == [
        None,
        *(message.id for message in messages[:-1]),
    ]


async def test_head_moves_to_where_it_is_put(store: Store) -> None:
    session = await with_session(store, a_message("msg_1"), a_message("msg_2"))

    moved = await store.move_head(ALICE, "conv_1", "msg_1", session.head_version)

    assert moved == replace(session, head="msg_1", head_version=session.head_version + 1)
    assert await store.session(ALICE, "conv_1", NOW) == moved
    emptied = await store.move_head(ALICE, "conv_1", None, moved.head_version)
    assert emptied.head is None


async def test_move_of_a_head_that_moved_is_a_conflict(store: Store) -> None:
    session = await with_session(store, a_message("msg_1"))

    with pytest.raises(Conflict):
        await store.move_head(ALICE, "conv_1", None, session.head_version - 1)
    with pytest.raises(NotFound):
        await store.move_head(ALICE, "conv_2", None, 0)

    assert await store.session(ALICE, "conv_1", NOW) == session


async def test_tree_comes_oldest_first_whatever_the_clocks_say(store: Store) -> None:
    first = a_message("msg_1", created_at=NOW + 9)
    second = a_message("msg_2", parent_id="msg_1", created_at=NOW + 5)
    session = await with_session(store, first, second)
    sibling = a_message("msg_0", parent_id="msg_1", created_at=NOW + 10)

    await store.append([sibling], session.head_version, NOW)

    assert await store.messages(ALICE, "conv_1") == [first, second, sibling]


async def test_parents_come_before_children_that_were_added_before_them(store: Store) -> None:
    messages = [
        a_message("msg_3", parent_id="msg_2"),
        a_message("msg_2", parent_id="msg_1"),
        a_message("msg_1"),
    ]

    await with_session(store, *messages)

    assert await store.messages(ALICE, "conv_1") == messages[::-1]


async def test_long_history_keeps_its_order(store: Store) -> None:
    messages = [
        a_message(f"msg_{number}", parent_id=f"msg_{number - 1}" if number else None)
        for number in range(1_000)
    ]

    await with_session(store, *messages)

    assert await store.messages(ALICE, "conv_1") == messages


async def test_removed_items_add_up_and_are_no_longer_found(store: Store) -> None:
    said = (Said("user", "apples"), Said("user", "pears"), Said("user", "plums"))
    await with_session(store, a_message("msg_1", said=said))

    assert await store.remove_items(ALICE, "msg_1", [0])
    assert await store.remove_items(ALICE, "msg_1", [0, 2])

    message = await store.message(ALICE, "msg_1")
    assert message is not None
    assert message.removed == {0, 2}
    assert message.text == "pears"
    assert await found(store, "apples") == []
    assert await found(store, "pears") == ["msg_1"]


async def test_deleted_message_loses_its_content_and_keeps_its_place(store: Store) -> None:
    child = a_message("msg_2", "bye", parent_id="resp_1")
    run = replace(an_answer().run or Run("", "queued", "", 0), pieces=(Content("secret"),))  # type: ignore[call-arg]
    await with_session(store, a_message("msg_1"), replace(an_answer(), run=run), child)

    assert await store.delete_message(ALICE, "resp_1")

    left = await store.message(ALICE, "resp_1")
    assert left is not None
    assert left.is_deleted
    assert (left.said, left.run, left.items) == ((), None, ())
    assert await store.messages(ALICE, "conv_1") == [a_message("msg_1"), left, child]
    assert await found(store, "secret") == []
    assert not await store.delete_message(ALICE, "resp_1")
    assert not await store.remove_items(ALICE, "resp_1", [0])


def test_message_type_is_what_the_store_keeps() -> None:
    # A field added to a message must be added to its document as well.
    assert set(Message.__dataclass_fields__) == {
        "id",
        "session_id",
        "owner",
        "parent_id",
        "created_at",
        "said",
        "run",
        "removed",
        "is_deleted",
    }
