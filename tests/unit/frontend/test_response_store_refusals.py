"""A store that answers, but refuses what it is given: told, and nobody else pays for it."""

import asyncio
from typing import Any

from frontend_api.domain.errors import BadRequest
from frontend_api.domain.generation import Accepted, Delta
from frontend_api.domain.stored import Checkpoint
from tests.unit.frontend.answering import (
    answering,
    fast,
    num_unsaved,
    order,
    shaky,
    stored,
    taken,
    text_of,
    until,
)
from tests.web.fakes import HANG, FakeGenerator, words


def refusing(store: Any, call: str) -> set[str]:
    """Let the store refuse this call for the messages whose ids are put into the result."""
    behind, refused = getattr(store.behind, call), set[str]()

    async def choosy(checkpoint: Checkpoint, *rest: Any) -> Any:
        if checkpoint.message_id in refused:
            raise BadRequest("It is larger than the database keeps.")
        return await behind(checkpoint, *rest)

    setattr(store.behind, call, choosy)
    return refused


async def test_a_last_write_that_is_refused_is_not_called_saved() -> None:
    goes_on = asyncio.Event()
    generator = FakeGenerator([Accepted(1), goes_on, *words("a")])
    async with shaky() as store, answering(generator, store) as desk:
        refused = refusing(store, "finish")
        feed = await desk.responses.create(order())
        refused.add(feed.message.id)
        goes_on.set()
        await taken(feed)
        kept = await stored(desk, feed.message.id)

        assert not feed.is_saved
        assert num_unsaved(desk) == 0
        assert kept.run is not None
        assert kept.run.is_running


async def test_a_write_that_is_refused_does_not_hold_up_those_behind_it() -> None:
    generator = FakeGenerator([Accepted(1), *words("a")])
    async with shaky() as store, answering(generator, store) as desk:
        refused = refusing(store, "finish")
        feeds = [await desk.responses.create(order()) for _ in range(2)]
        store.failing = {"finish"}
        for feed in feeds:
            await taken(feed)
        refused.add(feeds[0].message.id)
        store.failing = set()
        await until(lambda: num_unsaved(desk) == 0)
        kept = await stored(desk, feeds[1].message.id)

    assert kept == feeds[1].message


async def test_a_checkpoint_that_is_refused_does_not_cost_the_others_theirs() -> None:
    generator = FakeGenerator([Accepted(1), Delta(0, "a", 1), HANG])
    chosen = fast(checkpoint_interval_s=0.1)
    async with shaky() as store, answering(generator, store, chosen=chosen) as desk:
        refused = refusing(store, "checkpoint")
        feeds = [await desk.responses.create(order(is_background=True)) for _ in range(2)]
        refused.add(feeds[1].message.id)
        num_calls = len(store.calls)
        await until(lambda: store.calls[num_calls:].count("checkpoint") > 3)
        kept = await stored(desk, feeds[0].message.id)

    assert kept.run is not None
    assert text_of(kept.run.pieces) == "a"
