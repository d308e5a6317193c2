"""How responses end, and that what they said stays."""

import asyncio
import gc

import pytest

from frontend_api.domain.endings import MAX_OUTPUT_TOKENS, SHUTTING_DOWN
from frontend_api.domain.errors import (
    BackendLost,
    NotFound,
    RequestCancelled,
    ShuttingDown,
    StoreLost,
)
from frontend_api.domain.generation import Accepted, ChatPrompt, Delta, GenerationRequest, ToolUse
from frontend_api.domain.messages import Called, Message
from frontend_api.service.callers import owned_name
from frontend_api.service.response_run import ResponseRun
from tests.unit.frontend.answering import (
    OWNER,
    Desk,
    answered,
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
from tests.web.fakes import HANG, TALKER, FakeCatalogue, FakeGenerator, Step, words

STARTED: list[Step] = [Accepted(1), Delta(0, "Hel", 1), HANG]


async def running(desk: Desk) -> str:
    """Return the id of a response that has said something."""
    feed = await desk.responses.create(order())
    await feed.take(5)
    return feed.message.id


async def finally_(desk: Desk, response_id: str) -> Message:
    """Return it as stored when it has ended."""
    feed = await desk.responses.follow(OWNER, response_id)
    assert text_of(await taken(feed)) == "Hel"
    return await stored(desk, response_id)


@pytest.mark.parametrize(
    ("reason", "told"),
    [("stop", ("completed", None)), ("length", ("incomplete", MAX_OUTPUT_TOKENS))],
)
async def test_the_models_reason_decides_the_status(
    reason: str, told: tuple[str, str | None]
) -> None:
    async with answering(FakeGenerator([Accepted(1), *words("a", reason=reason)])) as desk:
        message = await answered(desk, order())

    assert tells_reason(message) == told
    assert ending_of(message).finish_reason == reason


async def test_a_failure_is_told_with_its_code_and_keeps_the_text() -> None:
    broken = FakeGenerator([Accepted(1), Delta(0, "Hel", 1), BackendLost("Triton is gone.")])
    async with answering(broken) as desk:
        feed = await desk.responses.create(order())
        pieces = await taken(feed)
        kept = await stored(desk, feed.message.id)

    ending = ending_of(kept)
    assert (ending.status, ending.error_code) == ("failed", "backend_unavailable")
    assert ending.error_message == "Triton is gone."
    assert text_of(pieces) == "Hel"


async def test_text_a_parser_held_back_is_told_when_the_model_fails() -> None:
    broken = FakeGenerator([Accepted(1), Delta(0, "a <tool", 1), BackendLost("gone")])
    use = ToolUse(frozenset({"f"}))
    request = GenerationRequest(model="demo", prompt=ChatPrompt(()), tool_use=use)
    catalogue = FakeCatalogue(TALKER)
    async with answering(broken, catalogue=catalogue) as desk:
        feed = await desk.responses.create(order(request=request))

        assert text_of(await taken(feed)) == "a <tool"


async def test_the_model_is_stopped_at_a_second_call_that_is_not_wanted() -> None:
    call = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'
    use = ToolUse(frozenset({"f"}), is_parallel=False)
    request = GenerationRequest(model="demo", prompt=ChatPrompt(()), tool_use=use)
    generator = FakeGenerator([Accepted(1), Delta(0, call, 9), Delta(0, call, 9), HANG])
    async with answering(generator, catalogue=FakeCatalogue(TALKER)) as desk:
        message = await answered(desk, order(request=request))

    assert ending_of(message).finish_reason == "tool_calls"
    assert [type(item) for _, item in message.items] == [Called]


async def test_cancelling_keeps_what_was_said() -> None:
    generator = FakeGenerator(STARTED)
    async with answering(generator) as desk:
        response_id = await running(desk)
        cancelled = await desk.responses.cancel(OWNER, response_id)
        kept = await finally_(desk, response_id)

    assert ending_of(cancelled).status == "cancelled"
    assert kept == cancelled
    assert generator.num_open == 0


async def test_cancelling_what_has_ended_changes_nothing() -> None:
    async with answering(FakeGenerator([Accepted(1), *words("a")])) as desk:
        message = await answered(desk, order())

        assert await desk.responses.cancel(OWNER, message.id) == message


async def test_a_request_cancelled_by_its_id_is_a_cancelled_response() -> None:
    async with answering(FakeGenerator(STARTED)) as desk:
        response_id = await running(desk)
        for generation in desk.generations.named(owned_name("req_1")):
            generation.fail(RequestCancelled("by its id"))
        kept = await finally_(desk, response_id)

    assert ending_of(kept).status == "cancelled"


async def test_another_worker_cancels_through_the_store() -> None:
    async with (
        shaky() as store,
        answering(FakeGenerator(STARTED), store) as desk,
        answering(FakeGenerator(), store, chosen=fast(checkpoint_interval_s=1)) as other,
    ):
        response_id = await running(desk)
        cancelled = await other.responses.cancel(OWNER, response_id)

    assert ending_of(cancelled).status == "cancelled"
    assert text_of(cancelled.run.pieces if cancelled.run else ()) == "Hel"


async def test_deleting_a_response_stops_it() -> None:
    generator = FakeGenerator(STARTED)
    async with answering(generator) as desk:
        response_id = await running(desk)
        feed = await desk.responses.follow(OWNER, response_id)
        await desk.responses.delete(OWNER, response_id)
        await taken(feed)

        assert generator.num_open == 0
        for gone in (desk.responses.get, desk.responses.follow, desk.responses.delete):
            with pytest.raises(NotFound, match=response_id):
                await gone(OWNER, response_id)


async def test_a_response_that_the_store_cannot_delete_goes_on() -> None:
    goes_on = asyncio.Event()
    generator = FakeGenerator([Accepted(1), Delta(0, "a", 1), goes_on, *words("b")])
    async with shaky() as store, answering(generator, store) as desk:
        feed = await desk.responses.create(order())
        await feed.take(5)
        store.failing = {"delete_message"}
        with pytest.raises(StoreLost):
            await desk.responses.delete(OWNER, feed.message.id)
        goes_on.set()
        await taken(feed)

        assert await stored(desk, feed.message.id) == feed.message


async def test_a_conversation_goes_on_after_a_deleted_response() -> None:
    generator = FakeGenerator([Accepted(1), *words("yes")])
    async with answering(generator) as desk:
        first = await answered(desk, order("one"))
        second = await answered(desk, order("two", previous_id=first.id))
        await desk.responses.delete(OWNER, first.id)
        await answered(desk, order("three", previous_id=second.id))

    prompt = generator.requests[-1].prompt
    assert isinstance(prompt, ChatPrompt)
    assert [turn.content for turn in prompt.messages] == ["one", "two", "yes", "three"]


async def test_stopping_a_session_stops_what_runs_for_it() -> None:
    generator = FakeGenerator(STARTED)
    async with answering(generator) as desk:
        response_id = await running(desk)
        message = await desk.responses.get(OWNER, response_id)
        await desk.store.delete_session(OWNER, message.session_id)
        desk.responses.stop_session(OWNER, message.session_id)
        await asyncio.wait_for(generator.closed.wait(), 5)

    assert desk.ended == []


async def test_a_session_deleted_by_another_worker_stops_at_the_next_checkpoint() -> None:
    generator = FakeGenerator(STARTED)
    async with answering(generator) as desk:
        response_id = await running(desk)
        feed = await desk.responses.follow(OWNER, response_id)
        await desk.store.delete_session(OWNER, feed.message.session_id)

        assert text_of(await taken(feed)) == "Hel"
        assert ending_of(feed.message).status == "cancelled"
    assert generator.num_open == 0


async def test_a_worker_that_closes_ends_and_saves_what_runs() -> None:
    generator = FakeGenerator(STARTED)
    async with shaky() as store:
        async with answering(generator, store) as desk:
            response_id = await running(desk)
        kept = await stored(desk, response_id)

    assert tells_reason(kept) == ("incomplete", SHUTTING_DOWN)
    assert text_of(kept.run.pieces if kept.run else ()) == "Hel"
    assert generator.num_open == 0


async def test_a_draining_server_gives_a_response_the_time_of_a_stream() -> None:
    goes_on = asyncio.Event()
    generator = FakeGenerator([Accepted(1), goes_on, *words("Hel")])
    async with shaky() as store:
        async with answering(generator, store) as desk:
            feed = await desk.responses.create(order(is_background=True))
            desk.generations.drain(5)
            asyncio.get_running_loop().call_later(0.02, goes_on.set)
        kept = await stored(desk, feed.message.id)

    assert ending_of(kept).status == "completed"


async def test_a_draining_server_takes_nothing_new() -> None:
    async with answering(FakeGenerator(STARTED)) as desk:
        desk.generations.drain(5)

        with pytest.raises(ShuttingDown):
            await desk.responses.create(order())


async def test_a_background_response_that_waits_for_the_model_is_queued() -> None:
    goes_on = asyncio.Event()
    generator = FakeGenerator([goes_on, Accepted(1), *words("yes")])
    chosen = fast().model_copy(
        update={"triton": fast().triton.model_copy(update={"queue_timeout_s": 0.01})}
    )
    async with answering(generator, chosen=chosen) as desk:
        feed = await desk.responses.create(order(is_background=True))
        waiting = await desk.responses.get(OWNER, feed.message.id)
        goes_on.set()
        await taken(feed)

    assert waiting.run is not None
    assert waiting.run.status == "queued"
    assert ending_of(feed.message).status == "completed"


@pytest.mark.slow
async def test_nothing_is_left_in_memory_of_ended_responses() -> None:
    async with answering(FakeGenerator([Accepted(1), *words("yes")])) as desk:
        before, old = asyncio.all_tasks(), living()
        feeds = [await desk.responses.create(order()) for _ in range(20)]
        for feed in feeds[:10]:
            await taken(feed)
        for feed in feeds:
            await feed.aclose()
        await until(lambda: len(desk.ended) == 20)
        await until(lambda: asyncio.all_tasks() <= before)

        assert living() <= old
        assert num_unsaved(desk) == 0


def living() -> set[int]:
    """Return which runs are in memory."""
    gc.collect()
    return {id(each) for each in gc.get_objects() if isinstance(each, ResponseRun)}
