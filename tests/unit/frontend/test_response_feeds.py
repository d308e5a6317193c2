"""Readers of one response: each gets every piece once and in order, from the log or the store."""

import asyncio
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from frontend_api.domain.answer_pieces import Content, Piece
from frontend_api.domain.generation import Accepted, Delta
from frontend_api.domain.messages import Ending, Message, Run
from frontend_api.service.feeds import EndedFeed, LogFeed, StoredFeed
from frontend_api.service.run_log import RunLog
from tests.unit.frontend.answering import (
    OWNER,
    answered,
    answering,
    order,
    shaky,
    stored,
    taken,
    text_of,
    until,
)
from tests.web.fakes import HANG, FakeGenerator, FixedClock, Step, words

RUN = Run(model="demo", status="in_progress", worker="w", lease_until=0)
PLACEHOLDER = Message(
    id="resp_1", session_id="conv_1", owner=OWNER, parent_id=None, created_at=0, run=RUN
)
ENDED = replace(
    PLACEHOLDER,
    run=replace(RUN, status="completed", ending=Ending(status="completed", completed_at=1)),
)


def pieces_of(number: int, count: int) -> list[Piece]:
    return [Content(f"{number}.{at}") for at in range(count)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 4), st.sampled_from(["a", "b", "c", "rest"]))))
async def test_whoever_takes_whenever_gets_everything_once(steps: list[int | str]) -> None:
    log = RunLog(PLACEHOLDER)
    feeds = {name: LogFeed(log) for name in "abc"}
    got: dict[str, list[Piece]] = {name: [] for name in feeds}
    waiting = {"a": asyncio.create_task(taken(feeds["a"], got["a"]))}

    for number, step in enumerate(steps):
        if isinstance(step, int):
            log.add(pieces_of(number, step))
        elif step == "rest":
            await asyncio.sleep(0)
        elif step not in waiting:
            got[step].extend(await feeds[step].take(0) or ())
    log.end(ENDED, is_saved=True)
    for name in "bc":
        await taken(feeds[name], got[name])
    await waiting["a"]

    assert got["a"] == got["b"] == got["c"] == log.pieces
    assert all(feed.message == ENDED for feed in feeds.values())


async def test_a_feed_loses_patience_without_losing_its_place() -> None:
    log = RunLog(PLACEHOLDER)
    feed = LogFeed(log)
    log.add(pieces_of(0, 1))

    first = await feed.take(0.001)
    nothing = await feed.take(0.001)
    log.add(pieces_of(1, 1))
    second = await feed.take(0.001)

    assert (first, nothing, second) == (pieces_of(0, 1), (), pieces_of(1, 1))


async def test_a_taker_that_is_cancelled_leaves_nothing_in_the_log() -> None:
    log = _WatchedLog(PLACEHOLDER)
    taking = asyncio.create_task(LogFeed(log).take(60))
    await asyncio.sleep(0)
    assert log.num_waiting == 1

    taking.cancel()
    await asyncio.wait([taking])

    assert log.num_waiting == 0


class _WatchedLog(RunLog):
    """Counts who waits for news."""

    num_waiting = 0

    def watch(self) -> asyncio.Future[None]:
        self.num_waiting += 1
        return super().watch()

    def forget(self, sleeper: asyncio.Future[None]) -> None:
        self.num_waiting -= 1
        super().forget(sleeper)


async def test_the_message_of_a_feed_is_as_opened_until_the_end_is_taken() -> None:
    log = RunLog(PLACEHOLDER)
    feed = LogFeed(log)
    log.add(pieces_of(0, 1))
    log.end(ENDED, is_saved=False)

    await feed.take(1)
    before = feed.message
    await feed.take(1)

    assert (before, feed.message) == (PLACEHOLDER, ENDED)
    assert not feed.is_saved


async def test_an_ended_feed_tells_all_at_once() -> None:
    message = replace(ENDED, run=replace(RUN, pieces=tuple(pieces_of(0, 3))))
    feed = EndedFeed(message, is_saved=False)

    assert await taken(feed) == pieces_of(0, 3)
    await feed.aclose()


async def test_a_late_reader_gets_what_an_early_one_got() -> None:
    goes_on = asyncio.Event()
    steps: list[Step] = [Accepted(1), *words("a", "b")[:1], goes_on, *words("c", "d")]
    async with answering(FakeGenerator(steps)) as desk:
        early = await desk.responses.create(order())
        first = list(await early.take(5) or ())
        late = await desk.responses.follow(OWNER, early.message.id)
        goes_on.set()

        assert await taken(early, first) == await taken(late)
        after = await desk.responses.follow(OWNER, early.message.id)
        assert await taken(after) == first
        assert after.message == early.message


async def test_another_worker_follows_through_the_store() -> None:
    goes_on = asyncio.Event()
    steps: list[Step] = [Accepted(1), Delta(0, "a", 1), goes_on, *words("b", "c")]
    async with (
        shaky() as store,
        answering(FakeGenerator(steps), store) as desk,
        answering(FakeGenerator(), store) as other,
    ):
        feed = await desk.responses.create(order())
        elsewhere = StoredFeed(
            await other.responses.get(OWNER, feed.message.id),
            store,
            FixedClock(),
            interval_s=0.002,
        )
        first = list(await elsewhere.take(5) or ())
        store.is_lost = True
        nothing = await elsewhere.take(0.01)
        store.is_lost = False
        goes_on.set()

        assert text_of(first) == "a"
        assert nothing == ()
        assert await taken(elsewhere, first) == await taken(feed)
        assert elsewhere.message == feed.message


async def test_another_worker_sees_the_end_of_a_response_that_is_deleted() -> None:
    async with (
        shaky() as store,
        answering(FakeGenerator([Accepted(1), Delta(0, "a", 1), HANG]), store) as desk,
    ):
        feed = await desk.responses.create(order())
        elsewhere = StoredFeed(feed.message, store, FixedClock(), interval_s=0.002)
        await store.delete_session(OWNER, feed.message.session_id)
        await taken(elsewhere)

    assert elsewhere.message.run is not None
    assert elsewhere.message.run.status == "cancelled"


async def test_what_is_stored_equals_what_was_told_however_it_was_cut() -> None:
    texts = [f"{number} " for number in range(40)]
    async with answering(FakeGenerator([Accepted(1), *words(*texts)])) as desk:
        feed = await desk.responses.create(order())
        pieces = await taken(feed)
        kept = await stored(desk, feed.message.id)

    assert kept.run is not None
    assert list(kept.run.pieces) == pieces
    assert text_of(pieces) == "".join(texts)


async def test_a_live_snapshot_holds_what_was_told_so_far() -> None:
    async with answering(FakeGenerator([Accepted(1), Delta(0, "a", 1), HANG])) as desk:
        feed = await desk.responses.create(order())
        await feed.take(5)
        message = await desk.responses.get(OWNER, feed.message.id)

    assert message.run is not None
    assert (message.run.status, text_of(message.run.pieces)) == ("in_progress", "a")


async def test_feeds_do_not_hinder_each_other() -> None:
    async with answering(FakeGenerator([Accepted(1), *words(*"abcdef")])) as desk:
        feed = await desk.responses.create(order())
        stuck = await desk.responses.follow(OWNER, feed.message.id)
        pieces = await taken(feed)
        await until(lambda: desk.ended)

        assert await taken(stuck) == pieces
        assert (await answered(desk, order())).run is not None
