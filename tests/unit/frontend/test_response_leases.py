"""Workers that are gone, or only seem to be: what others do with their responses meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from frontend_api.domain.answer_pieces import Content, Piece
from frontend_api.domain.errors import Conflict
from frontend_api.domain.generation import Accepted, ChatMessage, ChatPrompt, Delta
from frontend_api.domain.messages import INTERRUPTED, Ending, Message, Run
from frontend_api.domain.sessions import Session
from frontend_api.domain.stored import Checkpoint
from frontend_api.ports import Store
from frontend_api.service.feeds import StoredFeed
from tests.unit.frontend.answering import (
    OWNER,
    Desk,
    ShakyStore,
    answered,
    answering,
    fast,
    order,
    shaky,
    stored,
    taken,
    tells_reason,
    text_of,
    until,
)
from tests.web.fakes import HANG, FakeGenerator, words

LEASE_S = 60
GRACE_S = 2.0


class MovingClock:
    """A clock that tests put forward."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


@dataclass(frozen=True)
class _Cut:
    """A worker whose way to the store is cut, with the response it runs; and one that can."""

    worker: Desk
    way: ShakyStore
    response_id: str
    other: Desk
    generator: FakeGenerator


@asynccontextmanager
async def cut_off(clock: MovingClock, checkpoint_interval_s: float) -> AsyncIterator[_Cut]:
    """Cut a worker off that has saved "a", and let its lease run out."""
    chosen = fast(lease_s=LEASE_S, checkpoint_interval_s=checkpoint_interval_s)
    hanging = FakeGenerator([Accepted(1), Delta(0, "a", 1), HANG])
    speaking = FakeGenerator([Accepted(1), *words("b")])
    async with (
        shaky() as store,
        shaky() as way,
        answering(speaking, store, chosen=chosen, clock=clock) as other,
    ):
        way.behind = store.behind
        async with answering(hanging, way, chosen=fast(lease_s=LEASE_S), clock=clock) as worker:
            feed = await worker.responses.create(order())
            await until(lambda: way.calls.count("checkpoint") > 2)
            way.is_lost = True
            clock.time += LEASE_S + 1
            yield _Cut(worker, way, feed.message.id, other, speaking)


async def test_the_response_of_a_dead_worker_can_be_continued_before_anybody_looks() -> None:
    clock = MovingClock()
    async with cut_off(clock, 0.005) as cut:
        message = await answered(cut.other, order("on", previous_id=cut.response_id))
        left = await stored(cut.other, cut.response_id)

    assert tells_reason(left) == ("incomplete", INTERRUPTED)
    assert message.run is not None
    assert text_of(message.run.pieces) == "b"
    prompt = cut.generator.requests[-1].prompt
    assert isinstance(prompt, ChatPrompt)
    assert [turn.content for turn in prompt.messages] == ["hi", "a", "on"]
    assert isinstance(prompt.messages[0], ChatMessage)


async def test_the_response_of_a_worker_that_comes_back_is_left_to_it() -> None:
    clock = MovingClock()
    async with cut_off(clock, 0.5) as cut:
        cut.way.is_lost = False
        with pytest.raises(Conflict, match="still in progress"):
            await answered(cut.other, order("on", previous_id=cut.response_id))
        left = await stored(cut.other, cut.response_id)

    assert left.run is not None
    assert left.run.is_running


def a_checkpoint(first: int, *texts: str, lease_until: float) -> Checkpoint:
    return Checkpoint(
        owner=OWNER,
        message_id="resp_1",
        worker="w",
        first=first,
        pieces=tuple(Content(text) for text in texts),
        lease_until=lease_until,
    )


async def interrupted(store: Store, clock: MovingClock) -> Message:
    """Store a response that has said "a" and is then marked; returns it as it was before."""
    now = clock.now()
    session = Session(id="conv_1", owner=OWNER, created_at=now, updated_at=now)
    run = Run(model="demo", status="in_progress", worker="w", lease_until=now)
    message = Message(
        id="resp_1", session_id="conv_1", owner=OWNER, parent_id=None, created_at=now, run=run
    )
    await store.create_session(session, 0)
    await store.append([message], 0, now)
    await store.checkpoint(a_checkpoint(0, "a", lease_until=now))
    await store.expire_leases(now)
    return message


async def test_a_reader_is_not_told_of_an_interruption_that_is_taken_back() -> None:
    clock = MovingClock()
    async with shaky() as store:
        opened = await interrupted(store, clock)
        feed = StoredFeed(opened, store, clock, interval_s=0.002, grace_s=GRACE_S)
        pieces: list[Piece] = list(await feed.take(5) or ())
        nothing = await feed.take(0.02)
        later = clock.now() + LEASE_S
        await store.checkpoint(a_checkpoint(1, "b", lease_until=later))
        ending = Ending(status="completed", completed_at=clock.now())
        await store.finish(a_checkpoint(2, "c", lease_until=later), ending)
        await taken(feed, pieces)

    assert nothing == ()
    assert text_of(pieces) == "abc"
    assert feed.message.run is not None
    assert feed.message.run == replace(
        feed.message.run, status="completed", ending=ending, pieces=tuple(pieces)
    )


@pytest.mark.parametrize("elapsed_s", [GRACE_S, -1.0])
async def test_a_reader_is_told_of_an_interruption_that_stands(elapsed_s: float) -> None:
    clock = MovingClock()
    async with shaky() as store:
        opened = await interrupted(store, clock)
        feed = StoredFeed(opened, store, clock, interval_s=0.002, grace_s=GRACE_S)
        clock.time += elapsed_s
        pieces = await taken(feed)

    assert text_of(pieces) == "a"
    assert tells_reason(feed.message) == ("incomplete", INTERRUPTED)


async def test_a_reader_waits_on_although_the_mark_was_dated_before_it_was_written() -> None:
    # A little more than the grace: a clock of today does not count in its exact fractions.
    clock, grace_s = MovingClock(), 1.1 * 2 * fast().store.checkpoint_interval_s
    async with shaky() as store, answering(FakeGenerator(), store, clock=clock) as desk:
        opened = await interrupted(store, clock)
        clock.time += grace_s
        feed = await desk.responses.follow(OWNER, opened.id)
        pieces: list[Piece] = list(await feed.take(5) or ())
        nothing = await feed.take(0.02)
        clock.time += grace_s
        await taken(feed, pieces)

    assert nothing == ()
    assert text_of(pieces) == "a"
    assert tells_reason(feed.message) == ("incomplete", INTERRUPTED)


async def test_a_reader_asks_only_for_the_pieces_it_does_not_have() -> None:
    clock = MovingClock()
    async with shaky() as store:
        message, asked = store.behind.message, []

        async def recorded(owner: str, message_id: str, **fields: Any) -> Message | None:
            asked.append(fields["first"])
            found: Message | None = await message(owner, message_id, **fields)
            return found

        store.behind.message = recorded
        opened = await interrupted(store, clock)
        feed = StoredFeed(opened, store, clock, interval_s=0.002, grace_s=GRACE_S)
        await feed.take(5)
        await feed.take(0.02)

    assert asked[:2] == [0, 1]
