"""POST /v1/responses and what can be done with a response, with OpenAI's own client."""

import asyncio
import json
from typing import Any

import pytest
from openai import AsyncOpenAI, NotFoundError
from openai.types.responses import Response
from pydantic import BaseModel, TypeAdapter

from frontend_api.domain.errors import BackendLost
from frontend_api.domain.generation import Accepted, ChatPrompt
from frontend_api.web import answer_types_responses as types
from tests.web.fakes import HANG, words
from tests.web.responses_asked import URL, Desk, asked, desk, text_of

WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
ROME = '{"city": "Rome"}'
CALL = f'<tool_call>{{"name": "weather", "arguments": {ROME}}}</tool_call>'
PATIENCE_S = 10


def turns(at: Desk) -> list[list[tuple[str, str | None]]]:
    """Return what the model was shown, request by request."""
    shown = []
    for request in at.requests:
        assert isinstance(request.prompt, ChatPrompt)
        shown.append([(turn.role, turn.content) for turn in request.prompt.messages])
    return shown


async def create(client: AsyncOpenAI, **fields: Any) -> Response:
    """Return a whole response."""
    found = await client.responses.create(**asked(**fields))
    assert isinstance(found, Response)
    return found


async def ended(client: AsyncOpenAI, response_id: str) -> Response:
    """Return a background response when it is over."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await client.responses.retrieve(response_id)
            if found.status not in ("queued", "in_progress"):
                return found
            await asyncio.sleep(0.01)


async def test_a_response_has_every_field_of_openais() -> None:
    async with desk([Accepted(3), *words("Good", " day")]) as at:
        status, body = await at.post()

    assert status == 200
    TypeAdapter(types.Response).validate_python(body)
    assert (body["object"], body["status"], text_of(body)) == ("response", "completed", "Good day")
    assert body["x_conch"]["saved"] is True
    assert body["usage"]["total_tokens"] == 5
    # What this server has no use for may be left out by OpenAI, too.
    optional = {"access_programs", "image", "input_transformations", "moderation", "tool_usage"}
    optional |= {"prompt_cache_diagnostics", "prompt_cache_options", "prompt_cache_retention"}
    assert set(Response.model_fields) - set(body) == optional


async def test_what_was_asked_is_repeated() -> None:
    said: dict[str, Any] = {
        "instructions": "Be brief.",
        "metadata": {"a": "b"},
        "temperature": 0.5,
        "top_p": 0.25,
        "max_output_tokens": 7,
        "user": "me",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "truncation": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low", "summary": "auto"},
        "tools": [{**WEATHER, "description": None, "strict": False}],
        "tool_choice": "auto",
        "max_tool_calls": 3,
    }
    async with desk(words("x")) as at:
        _, body = await at.post(**said)

    assert {name: body[name] for name in said} == said


async def test_sampling_reaches_the_model() -> None:
    async with desk(words("x")) as at:
        await at.post(temperature=0.5, top_k=4, seed=9, stop=["."], max_output_tokens=7)
        (request,) = at.requests

    assert (request.temperature, request.top_k, request.seed) == (0.5, 4, 9)
    assert (request.stop, request.max_tokens) == ((".",), 7)


async def test_a_turn_follows_the_previous_response() -> None:
    async with desk(words("Good", " day")) as at:
        first = await create(at.openai)
        await create(at.openai, text="More", previous_response_id=first.id)

    assert turns(at)[1] == [("user", "Hi"), ("assistant", "Good day"), ("user", "More")]


async def test_instructions_hold_for_one_turn() -> None:
    async with desk(words("x")) as at:
        first = await create(at.openai, instructions="Be brief.")
        await create(at.openai, text="More", previous_response_id=first.id)

    assert turns(at)[0] == [("system", "Be brief."), ("user", "Hi")]
    assert turns(at)[1] == [("user", "Hi"), ("assistant", "x"), ("user", "More")]


async def test_a_conversation_is_read_and_continued() -> None:
    async with desk(words("x")) as at:
        conversation = await at.openai.conversations.create()
        first = await create(at.openai, conversation=conversation.id)
        await create(at.openai, text="More", conversation={"id": conversation.id})
        items = [item async for item in at.openai.conversations.items.list(conversation.id)]

    assert first.conversation is not None
    assert first.conversation.id == conversation.id
    assert len(turns(at)[1]) == 3
    assert len(items) == 4


async def test_a_turn_can_be_said_again_beside_the_first() -> None:
    async with desk(words("x")) as at:
        _, first = await at.post()
        parent = first["x_conch"]["parent_id"]
        place = {"conversation": first["conversation"], "x_conch": {"parent_id": parent}}
        answer = await at.http.post(URL, json={"model": "demo", **place})
        again = answer.json()

    assert again["x_conch"]["parent_id"] == parent
    assert turns(at)[1] == [("user", "Hi")]


async def test_a_conversation_can_begin_anew_at_its_root() -> None:
    async with desk(words("x")) as at:
        _, first = await at.post()
        place = {"conversation": first["conversation"], "x_conch": {"parent_id": None}}
        await at.post(text="Hello", **place)

    assert turns(at)[1] == [("user", "Hello")]


async def test_the_client_reads_a_stream() -> None:
    async with (
        desk([Accepted(3), *words("Good", " day")]) as at,
        at.openai.responses.stream(model="demo", input="Hi") as stream,
    ):
        deltas = [
            event.delta async for event in stream if event.type == "response.output_text.delta"
        ]
        whole = await stream.get_final_response()

    assert "".join(deltas) == "Good day"
    assert whole.output_text == "Good day"
    assert whole.usage is not None
    assert whole.usage.input_tokens == 3


async def test_a_response_is_retrieved_deleted_and_then_not_found() -> None:
    async with desk(words("x")) as at:
        first = await create(at.openai)
        found = await at.openai.responses.retrieve(first.id)
        await at.openai.responses.delete(first.id)
        with pytest.raises(NotFoundError) as caught:
            await at.openai.responses.retrieve(first.id)

    assert found == first
    assert caught.value.body == {
        "message": f"Response with id '{first.id}' not found.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


async def test_a_background_response_is_polled() -> None:
    release = asyncio.Event()
    async with desk([Accepted(1), release, *words("x")]) as at:
        first = await create(at.openai, background=True)
        release.set()
        last = await ended(at.openai, first.id)

    assert first.status in ("queued", "in_progress")
    assert (last.status, last.output_text, last.background) == ("completed", "x", True)


async def test_a_running_response_is_cancelled() -> None:
    async with desk([Accepted(1), *words("Good", " day")[:1], HANG]) as at:
        first = await create(at.openai, background=True)
        stopped = await at.openai.responses.cancel(first.id)
        again = await at.openai.responses.cancel(first.id)
        await asyncio.wait_for(at.generator.closed.wait(), PATIENCE_S)

    assert stopped.status == again.status == "cancelled"


async def test_the_input_is_listed_in_pages() -> None:
    async with desk(words("x")) as at:
        first = await create(at.openai)
        second = await create(at.openai, text="More", previous_response_id=first.id)
        listed = at.openai.responses.input_items.list
        texts = [item.content[0].text async for item in listed(second.id, limit=2, order="asc")]  # type: ignore[union-attr,index]
        (latest,) = (await listed(second.id, limit=1)).data

    assert texts == ["Hi", "x", "More"]
    assert latest.content[0].text == "More"  # type: ignore[union-attr,index]


async def test_a_tool_is_called_and_its_answer_given() -> None:
    async with desk(words("Sure. ", CALL)) as at:
        first = await create(at.openai, tools=[WEATHER])
        call = first.output[-1]
        assert call.type == "function_call"
        returned = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
        await create(at.openai, text=[returned], previous_response_id=first.id, tools=[WEATHER])
        prompt = at.requests[1].prompt

    assert (call.name, json.loads(call.arguments)) == ("weather", json.loads(ROME))
    assert isinstance(prompt, ChatPrompt)
    *_, asking, answering = prompt.messages
    assert [made.id for made in asking.calls] == [answering.call_id] == [call.call_id]
    assert json.loads(prompt.tools)[0]["function"]["name"] == "weather"


async def test_a_forced_call_holds_the_model_to_it() -> None:
    async with desk(words(ROME)) as at:
        choice = {"type": "function", "name": "weather"}
        first = await create(at.openai, tools=[WEATHER], tool_choice=choice)

    assert [item.type for item in first.output] == ["function_call"]
    assert at.requests[0].guide is not None


class Verdict(BaseModel):
    """What the model is to say."""

    is_shell: bool


async def test_an_answer_is_parsed_by_its_schema() -> None:
    async with desk(words('{"is_shell": true}')) as at:
        found = await at.openai.responses.parse(model="demo", input="Hi", text_format=Verdict)

    assert found.output_parsed == Verdict(is_shell=True)
    assert at.requests[0].guide is not None
    assert at.requests[0].guide.kind == "json_schema"


async def test_thoughts_are_an_item_before_the_answer() -> None:
    async with desk(words("<think>", "Hm.", "</think>", "Yes.")) as at:
        _, body = await at.post(reasoning={"effort": "high"})

    assert [item["type"] for item in body["output"]] == ["reasoning", "message"]
    assert body["output"][0]["content"] == [{"type": "reasoning_text", "text": "Hm."}]
    assert text_of(body) == "Yes."


async def test_an_answer_that_is_not_stored_is_not_found_later() -> None:
    async with desk(words("x")) as at:
        status, body = await at.post(store=False)
        later = await at.http.get(f"{URL}/{body['id']}")

    assert (status, body["status"], body["conversation"]) == (200, "completed", None)
    assert body["x_conch"]["saved"] is False
    assert later.status_code == 404


async def test_a_failure_of_the_model_is_told_in_the_response() -> None:
    async with desk([Accepted(1), *words("a", "b")[:1], BackendLost("It is gone.")]) as at:
        status, body = await at.post()
        kept = (await at.http.get(f"{URL}/{body['id']}")).json()

    assert status == 200
    assert body["status"] == "failed"
    assert body["error"] == {"code": "backend_unavailable", "message": "It is gone."}
    assert text_of(body) == "a"
    assert kept == body


async def test_a_refused_request_leaves_nothing() -> None:
    async with desk([BackendLost("It is gone.")]) as at:
        status, body = await at.post()
        stored = (await at.http.get("/v1/conversations")).json()

    assert (status, body["error"]["code"]) == (503, "backend_unavailable")
    assert stored["data"] == []


async def test_an_answer_cut_by_its_limit_is_incomplete() -> None:
    async with desk(words("a", "b", reason="length")) as at:
        _, body = await at.post()

    assert body["status"] == "incomplete"
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert body["output"][0]["status"] == "incomplete"
