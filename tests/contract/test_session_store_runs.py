"""Runs in every store: checkpoints, endings, leases, cancelling."""

import asyncio
from dataclasses import replace

import pytest

from frontend_api.domain.answer_pieces import Content, Piece
from frontend_api.domain.errors import Conflict
from frontend_api.domain.messages import INTERRUPTED, Run
from frontend_api.domain.stored import RunState
from frontend_api.ports import Store
from tests.contract.stores import (
    ALICE,
    LEASE_UNTIL,
    NOW,
    Opener,
    a_checkpoint,
    a_message,
    an_answer,
    an_ending,
    with_session,
)


async def run_of(store: Store) -> Run:
    message = await store.message(ALICE, "resp_1")
    assert message is not None
    assert message.run is not None
    return message.run


def texts(run: Run) -> list[str]:
    return [piece.text for piece in run.pieces if isinstance(piece, Content)]


async def test_checkpoints_add_pieces_and_renew_the_lease(store: Store) -> None:
    await with_session(store, an_answer())

    states = [
        await store.checkpoint(a_checkpoint(0, "a", "b")),
        await store.checkpoint(a_checkpoint(2, "c", lease_until=LEASE_UNTIL + 5)),
        await store.checkpoint(a_checkpoint(3, lease_until=LEASE_UNTIL + 6)),
    ]

    assert states == [RunState(2, False), RunState(3, False), RunState(3, False)]
    run = await run_of(store)
    assert texts(run) == ["a", "b", "c"]
    assert run.lease_until == LEASE_UNTIL + 6
    assert run.status == "in_progress"


async def test_another_worker_sees_a_checkpoint_at_once(opener: Opener) -> None:
    async with opener() as one, opener() as other:
        await with_session(one, an_answer())

        await one.checkpoint(a_checkpoint(0, "a"))

        assert texts(await run_of(other)) == ["a"]


async def test_checkpoint_sent_again_or_late_changes_nothing_twice(store: Store) -> None:
    await with_session(store, an_answer())
    first, second = a_checkpoint(0, "a", "b"), a_checkpoint(2, "c", lease_until=LEASE_UNTIL + 5)

    for checkpoint in (first, first, second, first, second):
        await store.checkpoint(checkpoint)

    run = await run_of(store)
    assert texts(run) == ["a", "b", "c"]
    assert run.lease_until == LEASE_UNTIL + 5


async def test_checkpoint_that_overlaps_adds_only_what_is_new(store: Store) -> None:
    await with_session(store, an_answer())
    await store.checkpoint(a_checkpoint(0, "a", "b"))

    state = await store.checkpoint(a_checkpoint(1, "b", "c", "d"))

    assert state == RunState(4, False)
    assert texts(await run_of(store)) == ["a", "b", "c", "d"]


async def test_checkpoints_at_once_are_put_together_without_doubles(opener: Opener) -> None:
    async with opener() as one, opener() as other:
        await with_session(one, an_answer())
        words = [str(number) for number in range(40)]

        await asyncio.gather(
            *((one, other)[end % 2].checkpoint(a_checkpoint(0, *words[:end])) for end in range(41))
        )

        assert texts(await run_of(one)) == words


async def test_pieces_after_a_gap_are_not_stored_and_the_number_tells(store: Store) -> None:
    await with_session(store, an_answer())
    await store.checkpoint(a_checkpoint(0, "a"))

    assert await store.checkpoint(a_checkpoint(2, "c")) == RunState(1, False)
    with pytest.raises(Conflict):
        await store.finish(a_checkpoint(2, "c"), an_ending())

    run = await run_of(store)
    assert texts(run) == ["a"]
    assert run.is_running


async def test_checkpoint_of_what_is_gone_is_none(store: Store) -> None:
    await with_session(store, a_message("msg_1"), an_answer(), an_answer("resp_2"))

    assert await store.checkpoint(a_checkpoint(0, "a", message_id="resp_9")) is None
    assert await store.checkpoint(a_checkpoint(0, "a", message_id="msg_1")) is None
    await store.delete_message(ALICE, "resp_2")
    assert await store.checkpoint(a_checkpoint(0, "a", message_id="resp_2")) is None
    assert not await store.finish(a_checkpoint(0, message_id="resp_2"), an_ending())
    await store.delete_session(ALICE, "conv_1")
    assert await store.checkpoint(a_checkpoint(0, "a")) is None
    assert not await store.finish(a_checkpoint(0, "a"), an_ending())


async def test_another_worker_cannot_write_to_a_run(store: Store) -> None:
    await with_session(store, an_answer())

    assert await store.checkpoint(a_checkpoint(0, "x", worker="worker-2")) is None
    assert not await store.finish(a_checkpoint(0, "x", worker="worker-2"), an_ending())

    assert await run_of(store) == an_answer().run


async def test_queued_run_is_in_progress_from_its_first_piece_on(store: Store) -> None:
    await with_session(store, an_answer(status="queued"))

    await store.checkpoint(a_checkpoint(0))
    queued = await run_of(store)
    await store.checkpoint(a_checkpoint(0, "a"))

    assert queued.status == "queued"
    assert (await run_of(store)).status == "in_progress"


async def test_finish_stores_the_last_pieces_and_the_ending(store: Store) -> None:
    await with_session(store, an_answer())
    await store.checkpoint(a_checkpoint(0, "Hel"))

    assert await store.finish(a_checkpoint(1, "lo"), an_ending(finish_reason="stop"))

    run = await run_of(store)
    assert texts(run) == ["Hel", "lo"]
    assert run.ending == an_ending(finish_reason="stop")
    assert (run.status, run.is_running) == ("completed", False)


async def test_answer_is_searched_from_its_end_on(store: Store) -> None:
    await with_session(store, an_answer())
    await store.checkpoint(a_checkpoint(0, "Hel"))
    before = await store.search(ALICE, "hel", NOW, limit=10)

    await store.finish(a_checkpoint(1, "lo"), an_ending())

    after = await store.search(ALICE, "hello", NOW, limit=10)
    assert list(before) == []
    assert [hit.message_id for hit in after] == ["resp_1"]


async def test_second_ending_changes_nothing(store: Store) -> None:
    await with_session(store, an_answer())
    await store.finish(a_checkpoint(0, "a"), an_ending())
    once = await run_of(store)

    assert await store.finish(a_checkpoint(0, "a"), an_ending())
    assert await store.finish(a_checkpoint(1, "b"), an_ending(status="cancelled"))
    assert await store.checkpoint(a_checkpoint(1, "b")) == RunState(1, False)

    assert await run_of(store) == once


async def test_cancel_is_seen_by_the_next_checkpoint(opener: Opener) -> None:
    async with opener() as one, opener() as other:
        await with_session(one, an_answer())
        await one.checkpoint(a_checkpoint(0, "a"))

        assert await other.request_cancel(ALICE, "resp_1")

        assert await one.checkpoint(a_checkpoint(1)) == RunState(1, True)
        assert (await run_of(other)).is_cancel_requested


async def test_only_what_runs_can_be_cancelled(store: Store) -> None:
    await with_session(store, a_message("msg_1"), an_answer())
    await store.finish(a_checkpoint(0, "a"), an_ending())

    assert not await store.request_cancel(ALICE, "msg_1")
    assert not await store.request_cancel(ALICE, "resp_1")

    assert not (await run_of(store)).is_cancel_requested


async def test_run_whose_lease_is_over_is_incomplete_and_keeps_its_text(store: Store) -> None:
    await with_session(store, an_answer())
    await store.checkpoint(a_checkpoint(0, "half of it"))

    assert await store.expire_leases(LEASE_UNTIL) == 1
    assert await store.expire_leases(LEASE_UNTIL) == 0

    run = await run_of(store)
    assert run.status == "incomplete"
    assert run.ending == an_ending(
        status="incomplete", reason=INTERRUPTED, completed_at=LEASE_UNTIL
    )
    assert texts(run) == ["half of it"]
    hits = await store.search(ALICE, "half", NOW, limit=10)
    assert [hit.message_id for hit in hits] == ["resp_1"]


async def test_leases_that_last_and_runs_that_ended_are_left_alone(store: Store) -> None:
    await with_session(
        store,
        an_answer(),
        an_answer("resp_2", status="queued", lease_until=NOW + 1),
        an_answer("resp_3", status="completed", lease_until=NOW, ending=an_ending()),
        an_answer("resp_4", lease_until=NOW),
        a_message("msg_1"),
    )
    await store.delete_message(ALICE, "resp_4")

    assert await store.expire_leases(NOW + 1) == 1
    assert (await run_of(store)).is_running


async def test_many_leases_over_at_once_are_ended_once(opener: Opener) -> None:
    async with opener() as one, opener() as other:
        await with_session(one, *(an_answer(f"resp_{n}") for n in range(50)))

        counts = await asyncio.gather(*(s.expire_leases(LEASE_UNTIL) for s in (one, other)))

    assert sum(counts) == 50


async def test_interrupted_run_goes_on_when_its_worker_was_only_slow(store: Store) -> None:
    await with_session(store, an_answer())
    await store.checkpoint(a_checkpoint(0, "a"))
    await store.expire_leases(LEASE_UNTIL)

    state = await store.checkpoint(a_checkpoint(1, "b", lease_until=LEASE_UNTIL + 20))

    assert state == RunState(2, False)
    run = await run_of(store)
    assert (run.status, run.ending) == ("in_progress", None)
    assert texts(run) == ["a", "b"]
    assert await store.expire_leases(LEASE_UNTIL + 1) == 0
    assert await store.request_cancel(ALICE, "resp_1")


async def test_ending_takes_the_place_of_an_interruption(store: Store) -> None:
    await with_session(store, an_answer())
    await store.expire_leases(LEASE_UNTIL)

    assert await store.finish(a_checkpoint(0, "all of it"), an_ending())

    run = await run_of(store)
    assert run.ending == an_ending()
    assert run.status == "completed"
    assert texts(run) == ["all of it"]


async def test_message_is_read_from_any_piece_on(store: Store) -> None:
    await with_session(store, an_answer())
    for first, words in ((0, "ab"), (2, "c"), (3, ""), (3, "def")):
        await store.checkpoint(a_checkpoint(first, *words))

    for _ in range(2):
        found = [await store.message(ALICE, "resp_1", first=first) for first in range(8)]
        said = ["".join(texts(message.run)) for message in found if message and message.run]
        assert said == ["abcdef", "bcdef", "cdef", "def", "ef", "f", "", ""]
        await store.finish(a_checkpoint(6), an_ending())


async def test_pieces_of_a_session_are_joined_once_a_run_has_ended(store: Store) -> None:
    await with_session(store, an_answer())

    async def said() -> list[str]:
        (message,) = await store.messages(ALICE, "conv_1")
        assert message.run is not None
        return texts(message.run)

    await store.checkpoint(a_checkpoint(0, "a", "b"))
    running = await said()
    await store.expire_leases(LEASE_UNTIL)
    interrupted = await said()
    await store.checkpoint(a_checkpoint(2, "c", lease_until=LEASE_UNTIL + 20))
    going_on = await said()
    await store.finish(a_checkpoint(3, "d"), an_ending())

    assert (running, interrupted, going_on) == (["a", "b"], ["ab"], ["a", "b", "c"])
    assert await said() == ["abcd"]
    assert texts(await run_of(store)) == ["a", "b", "c", "d"]


async def test_answer_of_a_megabyte_keeps_every_character(store: Store) -> None:
    await with_session(store, an_answer())
    words: tuple[Piece, ...] = tuple(Content(f"{n:04d} ü{'x' * 122}") for n in range(8_192))

    for first in range(0, len(words), 1_024):
        await store.checkpoint(replace(a_checkpoint(first), pieces=words[first : first + 1_024]))
    await store.finish(a_checkpoint(len(words)), an_ending())

    assert (await run_of(store)).pieces == words


async def test_200_runs_are_saved_at_once(opener: Opener) -> None:
    async with opener() as one, opener() as other:
        await with_session(one, *(an_answer(f"resp_{n}") for n in range(200)))

        async def say(number: int) -> None:
            store, message_id = (one, other)[number % 2], f"resp_{number}"
            await store.checkpoint(a_checkpoint(0, "a", message_id=message_id))
            await store.finish(a_checkpoint(1, str(number), message_id=message_id), an_ending())

        await asyncio.gather(*(say(number) for number in range(200)))
        messages = await one.messages(ALICE, "conv_1")

    said = [texts(message.run) for message in messages if message.run is not None]
    assert said == [[f"a{number}"] for number in range(200)]
