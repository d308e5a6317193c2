"""A store that is slow, gone or unsure: tokens flow on, nothing is lost, nothing is doubled."""

import asyncio
import random
from typing import Any

import pytest

from frontend_api.domain.answer_pieces import Piece
from frontend_api.domain.errors import Conflict, NotFound, StoreLost
from frontend_api.domain.generation import Accepted, Delta
from frontend_api.domain.messages import INTERRUPTED
from frontend_api.domain.sessions import Session
from frontend_api.domain.stored import MAX_PIECES_AT_ONCE, Checkpoint
from frontend_api.service.feeds import Feed, StoredFeed
from tests.unit.frontend.answering import (
    OWNER,
    Desk,
    answering,
    ending_of,
    fast,
    num_unsaved,
    order,
    shaky,
    stored,
    taken,
    tells_reason,
    text_of,
    until,
)
from tests.web.fakes import HANG, FakeGenerator, Step, words

# A store that hangs is given up soon.
HASTY = fast(operation_timeout_s=0.05)


class MovingClock:
    """A clock that tests put forward."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


async def begun(desk: Desk) -> Feed:
    """Return the feed of a response of which "a" is saved."""
    feed = await desk.responses.create(order())
    await feed.take(5)
    return feed


async def test_checkpoints_save_what_was_said_so_far() -> None:
    async with answering(FakeGenerator([Accepted(1), Delta(0, "a", 1), HANG])) as desk:
        feed = await begun(desk)
        found = None
        while found is None or found.run is None or not found.run.pieces:
            found = await stored(desk, feed.message.id)

    assert text_of(found.run.pieces) == "a"


async def test_tokens_flow_while_the_store_hangs_and_the_end_says_it_is_not_saved() -> None:
    goes_on = asyncio.Event()
    steps: list[Step] = [Accepted(1), Delta(0, "a", 1), goes_on, *words("b", "c")]
    async with shaky() as store, answering(FakeGenerator(steps), store, chosen=HASTY) as desk:
        feed = await begun(desk)
        store.open.clear()
        goes_on.set()
        rest = await taken(feed)
        unsaved = await desk.responses.get(OWNER, feed.message.id)
        again = await desk.responses.follow(OWNER, feed.message.id)

        assert text_of(rest) == "bc"
        assert not feed.is_saved
        assert unsaved == feed.message
        assert text_of(await taken(again)) == "abc"
        assert not again.is_saved

        store.open.set()
        await until(lambda: not num_unsaved(desk))
        assert await stored(desk, feed.message.id) == feed.message


@pytest.mark.parametrize("ends_meanwhile", [False, True])
async def test_what_an_outage_has_held_up_is_written_in_parts(ends_meanwhile: bool) -> None:
    texts = [f"{number}," for number in range(3 * MAX_PIECES_AT_ONCE)]
    goes_on, sizes = asyncio.Event(), list[int]()
    rest: list[Step] = [] if ends_meanwhile else [HANG]
    spoken = words(*texts) if ends_meanwhile else words(*texts, "")[:-1]
    steps: list[Step] = [Accepted(1), Delta(0, "a", 1), goes_on, *spoken, *rest]
    async with shaky() as store, answering(FakeGenerator(steps), store) as desk:
        watch_sizes(store, sizes)
        feed = await begun(desk)
        store.is_lost = True
        goes_on.set()
        pieces: list[Piece] = []
        while len(pieces) < len(texts):
            pieces += await feed.take(5) or ()
        if ends_meanwhile:
            await taken(feed)
        store.is_lost = False
        await until(lambda: sum(sizes) > len(texts) and not num_unsaved(desk))
        kept = await stored(desk, feed.message.id)
        await desk.responses.cancel(OWNER, feed.message.id)

    assert text_of(kept.run.pieces if kept.run else ()) == "a" + "".join(texts)
    assert max(sizes) == MAX_PIECES_AT_ONCE


def watch_sizes(store: Any, sizes: list[int]) -> None:
    """Note how many pieces each write has that the store takes."""
    behind = {name: getattr(store.behind, name) for name in ("checkpoint", "finish")}

    def watched(name: str) -> Any:
        async def write(checkpoint: Checkpoint, *ending: Any) -> Any:
            sizes.append(len(checkpoint.pieces))
            return await behind[name](checkpoint, *ending)

        return write

    for name in behind:
        setattr(store.behind, name, watched(name))


async def test_a_last_write_is_tried_once_more_when_the_worker_closes() -> None:
    goes_on = asyncio.Event()
    steps: list[Step] = [Accepted(1), Delta(0, "a", 1), goes_on, *words("b", "c")]
    chosen = fast(checkpoint_interval_s=1.5)
    async with shaky() as store:
        async with answering(FakeGenerator(steps), store, chosen=chosen) as desk:
            feed = await begun(desk)
            store.is_lost = True
            goes_on.set()
            await taken(feed)
            store.is_lost = False
        kept = await stored(desk, feed.message.id)

    assert kept == feed.message


async def test_nothing_is_written_for_a_session_that_is_deleted_meanwhile() -> None:
    chosen = fast(checkpoint_interval_s=1)
    generator = FakeGenerator([Accepted(1), *words("a")])
    async with shaky() as store, answering(generator, store, chosen=chosen) as desk:
        store.failing = {"finish"}
        feed = await desk.responses.create(order())
        await taken(feed)
        assert num_unsaved(desk) == 1

        desk.responses.stop_session(OWNER, feed.message.session_id)

        assert num_unsaved(desk) == 0


async def test_a_response_of_a_deleted_session_is_unknown_at_once() -> None:
    async with answering(FakeGenerator([Accepted(1), HANG])) as desk:
        feed = await desk.responses.create(order())
        await desk.store.delete_session(OWNER, feed.message.session_id)
        desk.responses.stop_session(OWNER, feed.message.session_id)

        with pytest.raises(NotFound):
            await desk.responses.get(OWNER, feed.message.id)


async def test_writes_beyond_the_bound_are_given_up_and_their_lease_ends_them() -> None:
    clock = MovingClock()
    chosen = fast(max_pending_writes=1, checkpoint_interval_s=1)
    async with (
        shaky() as store,
        answering(
            FakeGenerator([Accepted(1), *words("a")]), store, chosen=chosen, clock=clock
        ) as desk,
    ):
        store.failing = {"finish"}
        feeds = [await desk.responses.create(order()) for _ in range(3)]
        for feed in feeds:
            await taken(feed)

        assert num_unsaved(desk) == 1
        clock.time += 60
        assert await store.expire_leases(clock.now()) == 3


async def test_a_restored_database_is_told_everything_again() -> None:
    async with shaky() as store:
        finish = store.behind.finish
        wholes: list[int] = []

        async def forgetful(checkpoint, ending):  # type: ignore[no-untyped-def]
            wholes.append(checkpoint.first)
            if checkpoint.first:
                raise Conflict("pieces before these are missing")
            return await finish(checkpoint, ending)

        store.behind.finish = forgetful
        goes_on = asyncio.Event()
        steps: list[Step] = [Accepted(1), Delta(0, "a", 1), goes_on, *words("b")]
        async with answering(FakeGenerator(steps), store) as desk:
            feed = await begun(desk)
            await until(lambda: store.calls.count("checkpoint") > 2)
            goes_on.set()
            await taken(feed)
            kept = await stored(desk, feed.message.id)

    assert feed.is_saved
    assert kept == feed.message
    assert wholes == [1, 0]


async def test_leases_are_renewed_while_nothing_new_comes() -> None:
    clock = MovingClock()
    generator = FakeGenerator([Accepted(1), HANG])
    async with shaky() as store, answering(generator, store, clock=clock) as desk:
        feed = await desk.responses.create(order(is_background=True))
        clock.time += 60
        num_calls = len(store.calls)
        await until(lambda: store.calls[num_calls:].count("checkpoint") > 2)

        assert await store.expire_leases(clock.now()) == 0
        await desk.responses.cancel(OWNER, feed.message.id)


async def test_what_a_dead_worker_left_is_marked_by_another() -> None:
    clock = MovingClock()
    chosen = fast(lease_s=0.05, checkpoint_interval_s=0.01)
    generator = FakeGenerator([Accepted(1), Delta(0, "a", 1), HANG])
    async with (
        shaky() as store,
        shaky() as dead,
        answering(FakeGenerator(), store, chosen=chosen, clock=clock) as other,
    ):
        dead.behind = store.behind
        async with answering(generator, dead, clock=clock) as desk:
            feed = await begun(desk)
            await until(lambda: dead.calls.count("checkpoint") > 2)
            dead.is_lost = True
            clock.time += 60
            opened = await stored(other, feed.message.id)
            elsewhere = StoredFeed(opened, store, clock, interval_s=0.002)
            pieces = await taken(elsewhere)
            kept = elsewhere.message

    assert tells_reason(kept) == ("incomplete", INTERRUPTED)
    assert text_of(pieces) == "a"


async def test_expired_sessions_are_removed_when_the_store_is_back() -> None:
    clock = MovingClock()
    chosen = fast(lease_s=0.05, checkpoint_interval_s=0.01)
    async with shaky() as store, answering(FakeGenerator(), store, chosen=chosen, clock=clock):
        then = clock.time
        session = Session(
            id="conv_1", owner=OWNER, created_at=then, updated_at=then, expires_at=then + 60
        )
        await store.create_session(session, 0)
        clock.time += 61
        store.is_lost = True
        await until(lambda: store.calls.count("delete_expired") > 1)
        store.is_lost = False
        num_calls = len(store.calls)
        await until(lambda: store.calls[num_calls:].count("delete_expired") > 1)

        assert await store.session(OWNER, "conv_1", then) is None


async def test_a_fault_does_not_end_the_watch_over_leases() -> None:
    chosen = fast(lease_s=0.05, checkpoint_interval_s=0.01)
    async with shaky() as store:
        looks: list[float] = []

        async def faulty(now: float) -> int:
            looks.append(now)
            raise ValueError("a fault")

        store.behind.expire_leases = faulty
        async with answering(FakeGenerator(), store, chosen=chosen):
            await until(lambda: len(looks) > 1)


async def test_a_worker_that_was_only_cut_off_puts_its_ending_back() -> None:
    clock = MovingClock()
    goes_on = asyncio.Event()
    steps: list[Step] = [Accepted(1), Delta(0, "a", 1), goes_on, *words("b")]
    async with shaky() as store, answering(FakeGenerator(steps), store, clock=clock) as desk:
        feed = await begun(desk)
        store.is_lost = True
        clock.time += 60
        await store.behind.expire_leases(clock.now())
        store.is_lost = False
        goes_on.set()
        await taken(feed)
        kept = await stored(desk, feed.message.id)

    assert ending_of(kept) == ending_of(feed.message)
    assert text_of(kept.run.pieces if kept.run else ()) == "ab"


async def test_sessions_are_refused_at_once_while_the_store_is_lost() -> None:
    async with shaky() as store, answering(FakeGenerator(), store) as desk:
        store.is_lost = True

        for asked in (order(previous_id="resp_1"), order(session_id="conv_1")):
            with pytest.raises(StoreLost):
                await desk.responses.create(asked)


@pytest.mark.parametrize("seed", range(6))
async def test_a_store_that_fails_at_random_loses_and_doubles_nothing(seed: int) -> None:
    chance = random.Random(seed)
    texts = [f"{number}," for number in range(60)]
    async with (
        shaky(seed) as store,
        answering(FakeGenerator(paced(texts)), store) as desk,
    ):
        feeds = [await desk.responses.create(order()) for _ in range(10)]
        store.chance = chance.uniform(0.1, 0.7)
        told = await asyncio.gather(*(taken(feed) for feed in feeds))
        store.chance = 0
        await until(lambda: not num_unsaved(desk))
        kept = [await stored(desk, feed.message.id) for feed in feeds]

    assert {text_of(pieces) for pieces in told} == {"".join(texts)}
    assert [message.run and list(message.run.pieces) for message in kept] == told
    assert kept == [feed.message for feed in feeds]


def paced(texts: list[str]) -> list[Step]:
    """Return the steps of a model that pauses now and then, so that checkpoints come between."""
    steps: list[Step] = [Accepted(1)]
    for number, step in enumerate(words(*texts)):
        steps.append(step)
        if number % 10 == 9:
            steps.append(_Pause())
    return steps


class _Pause(asyncio.Event):
    """Sets itself a moment after it is waited for."""

    async def wait(self):  # type: ignore[no-untyped-def]
        await asyncio.sleep(0.01)
        return True
