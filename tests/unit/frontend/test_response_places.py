"""A turn whose session changes between the question where it goes and its being stored."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from frontend_api.domain.errors import Conflict, NotFound
from frontend_api.domain.generation import Accepted
from frontend_api.domain.messages import Message
from frontend_api.domain.sessions import Session
from tests.unit.frontend.answering import (
    OWNER,
    Desk,
    answered,
    answering,
    fast,
    order,
    shaky,
    until,
)
from tests.web.fakes import FakeGenerator, words
from tests.web.running import settings

STEPS = [Accepted(1), *words("yes")]


@asynccontextmanager
async def asked_twice(
    store: Any = None, **limits: float
) -> AsyncIterator[tuple[Desk, Message, Callable[[], Awaitable[Message]]]]:
    """Give a first answer, and let the model think about a turn that continues it."""
    generator = FakeGenerator(STEPS)
    async with answering(generator, store, chosen=settings(limits=limits)) as desk:
        first = await answered(desk, order("one"))
        thinks = asyncio.Event()
        generator.steps = [thinks, *STEPS]
        turn = asyncio.create_task(answered(desk, order("two", previous_id=first.id)))
        await until(lambda: len(generator.requests) > 1)

        async def answer() -> Message:
            thinks.set()
            return await turn

        yield desk, first, answer


@pytest.mark.parametrize("ttl_s", [0, 60])
async def test_a_turn_in_a_session_that_was_deleted_meanwhile_is_refused(ttl_s: int) -> None:
    async with shaky() as store:
        delete = store.behind.delete_session
        async with asked_twice(store, session_ttl_seconds=ttl_s) as (desk, first, answer):
            await delete(OWNER, first.session_id)
            with pytest.raises(NotFound):
                await answer()

            assert await desk.store.message(OWNER, first.id) is None
            assert desk.generations.is_idle


async def test_a_turn_that_has_lost_its_session_to_a_rival_is_refused() -> None:
    async with shaky() as store:

        async def outrun(messages: Sequence[Message], version: int, at: float) -> Session:
            await store.behind.delete_session(OWNER, messages[0].session_id)
            raise Conflict("the head has moved")

        async with asked_twice(store) as (desk, _, answer):
            store.behind.append = outrun
            with pytest.raises(Conflict, match="has moved"):
                await answer()

            assert desk.generations.is_idle


async def test_a_turn_that_rivals_outrun_again_and_again_gives_up() -> None:
    async with shaky() as store:

        async def outrun(messages: Sequence[Message], version: int, at: float) -> Session:
            raise Conflict("the head has moved")

        async with asked_twice(store) as (desk, _, answer):
            store.behind.append = outrun
            with pytest.raises(Conflict, match="Too many turns"):
                await answer()

            assert desk.generations.is_idle


async def test_a_message_of_another_session_is_no_place() -> None:
    async with answering(FakeGenerator(STEPS), chosen=fast()) as desk:
        here, there = [await answered(desk, order("one")) for _ in range(2)]
        asked = order("two", session_id=here.session_id, parent_id=there.id, has_parent=True)

        with pytest.raises(NotFound, match=there.id):
            await desk.responses.create(asked)
