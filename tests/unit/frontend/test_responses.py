"""Responses: made, stored before they are seen, saved before their end is."""

import asyncio
from typing import Any

import pytest

from frontend_api.domain.errors import (
    BackendLost,
    BadRequest,
    Conflict,
    LimitReached,
    ModelNotFound,
    NotFound,
    StoreLost,
)
from frontend_api.domain.generation import Accepted, ChatMessage, ChatPrompt, GenerationRequest
from frontend_api.domain.messages import Said
from tests.unit.frontend.answering import (
    OWNER,
    answered,
    answering,
    ending_of,
    num_unsaved,
    order,
    shaky,
    stored,
    taken,
    text_of,
    until,
)
from tests.web.fakes import HANG, FakeGenerator, words
from tests.web.running import settings


def prompted(generator: FakeGenerator) -> tuple[ChatMessage, ...]:
    """Return the turns the model was given last."""
    prompt = generator.requests[-1].prompt
    assert isinstance(prompt, ChatPrompt)
    return prompt.messages


async def test_a_response_is_told_and_saved() -> None:
    async with answering(FakeGenerator([Accepted(7), *words("Hel", "lo")])) as desk:
        feed = await desk.responses.create(order("hi there"))
        pieces = await taken(feed)
        kept = await stored(desk, feed.message.id)
        session = await desk.store.session(OWNER, feed.message.session_id, 0)

    assert text_of(pieces) == "Hello"
    assert feed.is_saved
    assert kept == feed.message
    assert ending_of(kept).status == "completed"
    assert session is not None
    assert (session.title, session.title_source) == ("hi there", "words")
    assert session.head == feed.message.id
    assert desk.ended == [feed.message]


async def test_usage_and_timing_are_kept_with_the_ending() -> None:
    async with answering(FakeGenerator([Accepted(7), *words("Hel", "lo")])) as desk:
        ending = ending_of(await answered(desk, order()))

    assert ending.usage is not None
    assert (ending.usage.prompt_tokens, ending.usage.completion_tokens) == (7, 2)
    assert ending.timing is not None
    assert ending.timing.first_token_s is not None


async def test_input_and_placeholder_are_durable_before_the_first_piece() -> None:
    async with answering(FakeGenerator([Accepted(1), HANG])) as desk:
        feed = await desk.responses.create(order("hi"))
        tree = await desk.store.messages(OWNER, feed.message.session_id)

        assert [message.said for message in tree] == [(Said("user", "hi"),), ()]
        assert tree[-1].run is not None
        assert tree[-1].run.status == "in_progress"
        assert tree[-1].parent_id == tree[0].id


@pytest.mark.parametrize(
    ("generator", "model", "refusal"),
    [
        (FakeGenerator([BadRequest("no")]), "demo", BadRequest),
        (FakeGenerator([BackendLost("gone")]), "demo", BackendLost),
        (FakeGenerator(), "unknown", ModelNotFound),
    ],
)
async def test_a_refused_request_leaves_nothing(
    generator: FakeGenerator, model: str, refusal: type[Exception]
) -> None:
    request = GenerationRequest(model=model, prompt=ChatPrompt(()))
    async with answering(generator) as desk:
        with pytest.raises(refusal):
            await desk.responses.create(order(request=request))

        page = await desk.store.sessions(OWNER, 0, after=None, limit=10)
        assert page.sessions == []
    assert generator.num_open == 0


@pytest.mark.parametrize("failing", ["create_session", "append"])
@pytest.mark.parametrize("is_done", [True, False])
async def test_a_lost_store_stops_the_model_and_nothing_of_the_turn_stays(
    failing: str, is_done: bool
) -> None:
    generator = FakeGenerator([Accepted(1), HANG])
    async with shaky() as store, answering(generator, store) as desk:
        store.failing, store.fails_late = {failing}, is_done
        with pytest.raises(StoreLost):
            await desk.responses.create(order())
        assert generator.num_open == 0

        store.failing = set()
        await until(lambda: not num_unsaved(desk))
        page = await desk.store.sessions(OWNER, 0, after=None, limit=10)
        assert page.sessions == []


async def test_a_turn_that_was_refused_in_doubt_is_not_said_twice() -> None:
    generator = FakeGenerator([Accepted(1), *words("yes")])
    async with shaky() as store, answering(generator, store) as desk:
        await answered(desk, order("one", session_id="conv_1", creates_session=True))
        store.failing, store.fails_late = {"append"}, True
        with pytest.raises(StoreLost):
            await desk.responses.create(order("two", session_id="conv_1"))
        store.failing = set()
        await until(lambda: not num_unsaved(desk))
        await answered(desk, order("two", session_id="conv_1"))

    assert [turn.content for turn in prompted(generator)] == ["one", "yes", "two"]


async def test_a_response_follows_the_one_before_it() -> None:
    generator = FakeGenerator([Accepted(1), *words("yes")])
    async with answering(generator) as desk:
        first = await answered(desk, order("one"))
        second = await answered(desk, order("two", previous_id=first.id, instructions="Be kind."))
        named = await desk.responses.input_of(OWNER, second.id)

    assert [(turn.role, turn.content) for turn in prompted(generator)] == [
        ("system", "Be kind."),
        ("user", "one"),
        ("assistant", "yes"),
        ("user", "two"),
    ]
    assert [item for _, item in named] == [
        Said("user", "one"),
        Said("assistant", "yes"),
        Said("user", "two"),
    ]


async def test_two_responses_may_follow_the_same_one_at_once() -> None:
    async with answering(FakeGenerator([Accepted(1), *words("yes")])) as desk:
        first = await answered(desk, order("one"))
        asked = [order(f"try {number}", previous_id=first.id) for number in range(8)]

        siblings = await asyncio.gather(*(answered(desk, one) for one in asked))
        tree = await desk.store.messages(OWNER, first.session_id)

    parents = {message.id: message.parent_id for message in tree}
    assert {parents[parents[one.id] or ""] for one in siblings} == {first.id}
    assert len(tree) == 18


async def test_a_session_goes_on_at_its_head() -> None:
    generator = FakeGenerator([Accepted(1), *words("yes")])
    async with answering(generator) as desk:
        asked = order("one", session_id="conv_1", creates_session=True)
        await answered(desk, asked)
        await answered(desk, order("two", session_id="conv_1", creates_session=True))

    assert [turn.content for turn in prompted(generator)] == ["one", "yes", "two"]


async def test_a_turn_can_be_asked_again_beside_the_first_answer() -> None:
    generator = FakeGenerator([Accepted(1), *words("yes")])
    async with answering(generator) as desk:
        first = await answered(desk, order("one"))
        again = order(items=(), parent_id=first.parent_id, has_parent=True)
        second = await answered(desk, again)

    assert second.parent_id == first.parent_id
    assert [turn.content for turn in prompted(generator)] == ["one"]


async def test_a_session_can_begin_again_at_its_root() -> None:
    generator = FakeGenerator([Accepted(1), *words("yes")])
    async with answering(generator) as desk:
        first = await answered(desk, order("one"))
        other = order("uno", session_id=first.session_id, parent_id=None, has_parent=True)
        await answered(desk, other)

    assert [turn.content for turn in prompted(generator)] == ["uno"]


@pytest.mark.parametrize(
    "where",
    [
        {"previous_id": "resp_unknown"},
        {"session_id": "conv_unknown"},
        {"parent_id": "msg_unknown", "has_parent": True},
    ],
)
async def test_nothing_follows_what_is_unknown(where: dict[str, Any]) -> None:
    async with answering(FakeGenerator()) as desk:
        with pytest.raises(NotFound):
            await desk.responses.create(order(**where))


async def test_what_belongs_to_another_owner_is_unknown() -> None:
    async with answering(FakeGenerator([Accepted(1), *words("yes")])) as desk:
        mine = await answered(desk, order("one"))
        responses = desk.responses

        for strange in (
            responses.get("other", mine.id),
            responses.follow("other", mine.id),
            responses.cancel("other", mine.id),
            responses.delete("other", mine.id),
            responses.input_of("other", mine.id),
            responses.create(order(owner="other", previous_id=mine.id)),
            responses.create(order(owner="other", session_id=mine.session_id)),
        ):
            with pytest.raises(NotFound):
                await strange


async def test_nothing_follows_a_response_that_still_runs() -> None:
    async with answering(FakeGenerator([Accepted(1), HANG])) as desk:
        feed = await desk.responses.create(order("one"))

        for asked in (
            order("two", previous_id=feed.message.id),
            order("two", session_id=feed.message.session_id),
        ):
            with pytest.raises(Conflict):
                await desk.responses.create(asked)


async def test_a_full_session_takes_no_more() -> None:
    limited = settings(limits={"max_messages_per_session": 3})
    generator = FakeGenerator([Accepted(1), *words("yes")])
    async with answering(generator, chosen=limited) as desk:
        first = await answered(desk, order("one"))

        with pytest.raises(LimitReached):
            await desk.responses.create(order("two", previous_id=first.id))
    assert len(generator.requests) == 1


async def test_an_owner_with_too_many_sessions_gets_no_more() -> None:
    limited = settings(limits={"max_sessions": 1})
    generator = FakeGenerator([Accepted(1), *words("yes")])
    async with answering(generator, chosen=limited) as desk:
        await answered(desk, order("one"))

        with pytest.raises(LimitReached):
            await desk.responses.create(order("two"))
    assert generator.num_open == 0


async def test_each_turn_lets_a_session_live_on() -> None:
    limited = settings(limits={"session_ttl_seconds": 60})
    async with answering(FakeGenerator([Accepted(1), *words("yes")]), chosen=limited) as desk:
        first = await answered(desk, order("one"))
        await answered(desk, order("two", previous_id=first.id))
        session = await desk.store.session(OWNER, first.session_id, 0)

    assert session is not None
    assert session.expires_at == 1_700_000_060.5


async def test_a_background_response_must_be_stored() -> None:
    async with answering(FakeGenerator()) as desk:
        with pytest.raises(BadRequest):
            await desk.responses.create(order(is_background=True, is_stored=False))


async def test_a_response_that_is_not_stored_leaves_nothing() -> None:
    async with answering(FakeGenerator([Accepted(1), *words("yes")])) as desk:
        feed = await desk.responses.create(order(is_stored=False))
        pieces = await taken(feed)
        await feed.aclose()
        page = await desk.store.sessions(OWNER, 0, after=None, limit=10)

        with pytest.raises(NotFound):
            await desk.responses.get(OWNER, feed.message.id)
    assert text_of(pieces) == "yes"
    assert page.sessions == []
    assert ending_of(feed.message).status == "completed"


async def test_a_response_that_is_not_stored_is_cancelled_with_its_feed() -> None:
    generator = FakeGenerator([Accepted(1), HANG])
    async with answering(generator) as desk:
        feed = await desk.responses.create(order(is_stored=False))
        await feed.aclose()

        assert generator.num_open == 0


async def test_a_stored_response_outlives_its_feed() -> None:
    goes_on = asyncio.Event()
    async with answering(FakeGenerator([Accepted(1), goes_on, *words("yes")])) as desk:
        feed = await desk.responses.create(order())
        await feed.aclose()
        goes_on.set()
        later = await desk.responses.follow(OWNER, feed.message.id)

        assert text_of(await taken(later)) == "yes"


async def test_a_client_that_leaves_while_its_turn_is_written_still_gets_a_response() -> None:
    generator = FakeGenerator([Accepted(1), *words("yes")])
    async with shaky() as store, answering(generator, store) as desk:
        store.open.clear()
        creating = asyncio.create_task(desk.responses.create(order()))
        await until(lambda: "create_session" in store.calls)
        creating.cancel()
        await asyncio.wait([creating])
        store.open.set()
        await until(lambda: desk.ended)

    assert ending_of(desk.ended[0]).status == "completed"
