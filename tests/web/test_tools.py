"""Tool calls: auto and forced, whole and streamed, and when a generation ends early."""

import asyncio
import json
from typing import Any

import pytest

from frontend_api.domain.generation import Accepted, ChatPrompt, Delta
from tests.web.fakes import HANG, TALKER, FakeCatalogue, FakeGenerator, Step, words
from tests.web.running import Json, ask, counts, events, running_app

URL = "/v1/chat/completions"
CITY: Json = {"type": "object", "properties": {"city": {"$ref": "#/$defs/City"}}}
WEATHER: Json = {
    "type": "function",
    "function": {"name": "weather", "parameters": {**CITY, "$defs": {"City": {"type": "string"}}}},
}
CLOCK: Json = {"type": "function", "function": {"name": "clock"}}
TOOLS = [WEATHER, CLOCK]
ROME = '{"city": "Rome"}'
CALL = f'<tool_call>{{"name": "weather", "arguments": {ROME}}}</tool_call>'
TIME = '<tool_call>{"name": "clock", "arguments": {}}</tool_call>'
NAMED = {"type": "function", "function": {"name": "weather"}}


async def whole(steps: list[Step], **fields: object) -> tuple[Json, FakeGenerator]:
    generator = FakeGenerator(steps)
    async with running_app(generator, FakeCatalogue(TALKER)) as client:
        response = await client.post(URL, json=ask("hi", tools=TOOLS, **fields))
        answer = await response.get_json()
    assert response.status_code == 200, answer
    return answer, generator


async def streamed(steps: list[Step], **fields: object) -> list[Json]:
    generator = FakeGenerator(steps)
    async with running_app(generator, FakeCatalogue(TALKER)) as client:
        response = await client.post(URL, json=ask("hi", stream=True, tools=TOOLS, **fields))
        found = events(await response.get_data(as_text=False))
    assert found[-1] == "[DONE]"
    return [event for event in found if isinstance(event, dict)]


def calls_of(answer: Json) -> list[tuple[str, str]]:
    calls = answer["choices"][0]["message"]["tool_calls"]
    assert all(call["type"] == "function" and call["id"].startswith("call_") for call in calls)
    return [(call["function"]["name"], call["function"]["arguments"]) for call in calls]


def guide_of(generator: FakeGenerator) -> Any:
    guide = generator.requests[0].guide
    assert guide is not None
    assert guide.kind == "json_schema"
    return json.loads(guide.text)


async def test_calls_are_parsed_from_the_models_own_format() -> None:
    answer, generator = await whole(words("Sure. ", CALL, TIME))

    message = answer["choices"][0]["message"]
    assert message["content"] == "Sure."
    assert calls_of(answer) == [("weather", ROME), ("clock", "{}")]
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    prompt = generator.requests[0].prompt
    assert isinstance(prompt, ChatPrompt)
    assert [tool["function"]["name"] for tool in json.loads(prompt.tools)] == ["weather", "clock"]
    assert generator.requests[0].guide is None


async def test_calls_alone_leave_the_content_null() -> None:
    answer, _ = await whole(words(CALL))

    assert answer["choices"][0]["message"]["content"] is None


async def test_an_answer_without_calls_is_an_answer() -> None:
    answer, _ = await whole(words("I know: sunny."))

    assert answer["choices"][0]["message"] == {
        "role": "assistant",
        "content": "I know: sunny.",
        "refusal": None,
    }
    assert answer["choices"][0]["finish_reason"] == "stop"


async def test_a_function_that_was_not_given_is_text() -> None:
    other = CALL.replace("weather", "launch")
    answer, _ = await whole(words(other))

    assert answer["choices"][0]["message"]["content"] == other


async def test_a_stream_sends_id_and_name_first_then_arguments() -> None:
    chunks = await streamed(words(*CALL))

    choices = [chunk["choices"][0] for chunk in chunks]
    pieces = [c["delta"]["tool_calls"][0] for c in choices if "tool_calls" in c["delta"]]
    first, *rest = pieces
    assert set(first) == {"index", "id", "type", "function"}
    assert first["function"] == {"name": "weather", "arguments": ""}
    assert all(set(piece) == {"index", "function"} for piece in rest)
    assert "".join(piece["function"]["arguments"] for piece in rest) == ROME
    assert choices[-1]["delta"] == {}
    assert choices[-1]["finish_reason"] == "tool_calls"


async def test_no_tools_are_shown_and_none_are_parsed_when_none_may_be_called() -> None:
    answer, generator = await whole(words(CALL), tool_choice="none")

    assert answer["choices"][0]["message"]["content"] == CALL
    prompt = generator.requests[0].prompt
    assert isinstance(prompt, ChatPrompt)
    assert prompt.tools == ""


async def test_required_holds_the_model_to_calls_of_its_tools() -> None:
    said = f'[{{"name": "weather", "arguments": {ROME}}}, {{"name": "clock", "arguments": {{}}}}]'
    answer, generator = await whole(words(said), tool_choice="required")

    assert calls_of(answer) == [("weather", ROME), ("clock", "{}")]
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    schema = guide_of(generator)
    assert schema["type"] == "array"
    city = schema["$defs"]["weather"]["properties"]["city"]
    assert city == {"$ref": "#/$defs/weather/$defs/City"}


async def test_required_without_parallel_calls_is_one_object() -> None:
    said = f'{{"name": "weather", "arguments": {ROME}}}'
    answer, generator = await whole(words(said), tool_choice="required", parallel_tool_calls=False)

    assert calls_of(answer) == [("weather", ROME)]
    assert "anyOf" in guide_of(generator)


async def test_a_named_function_is_called_and_the_reason_is_stop() -> None:
    answer, generator = await whole(words(ROME), tool_choice=NAMED)

    assert calls_of(answer) == [("weather", ROME)]
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert guide_of(generator)["properties"]["city"] == {"$ref": "#/$defs/City"}


async def test_a_cut_call_says_length() -> None:
    answer, _ = await whole(words('{"city": "Ro', reason="length"), tool_choice=NAMED)

    assert calls_of(answer) == [("weather", '{"city": "Ro')]
    assert answer["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("is_stream", [False, True])
async def test_without_parallel_calls_the_second_one_ends_the_generation(is_stream: bool) -> None:
    steps: list[Step] = [Accepted(4), Delta(0, CALL, 7), Delta(0, TIME, 5), HANG]
    generator = FakeGenerator(steps)
    body = ask(
        "hi",
        tools=TOOLS,
        parallel_tool_calls=False,
        stream=is_stream,
        **({"stream_options": {"include_usage": True}} if is_stream else {}),
    )
    async with running_app(generator, FakeCatalogue(TALKER)) as client:
        response = await asyncio.wait_for(client.post(URL, json=body), 5)
        data = await asyncio.wait_for(response.get_data(as_text=False), 5)

    assert generator.num_open == 0
    assert generator.requests[0].stream
    if is_stream:
        *chunks, usage, _ = events(data)
        deltas = [c["choices"][0]["delta"] for c in chunks if isinstance(c, dict)]
        names = [d["tool_calls"][0].get("id") for d in deltas if "tool_calls" in d]
        assert len([name for name in names if name]) == 1
        assert isinstance(usage, dict)
        assert counts(usage["usage"]) == (4, 12, 16)
    else:
        answer = json.loads(data)
        assert calls_of(answer) == [("weather", ROME)]
        assert answer["choices"][0]["finish_reason"] == "tool_calls"
        assert counts(answer["usage"]) == (4, 12, 16)


async def test_each_of_several_choices_has_its_own_calls() -> None:
    steps = [*words("plain", index=1), *words(CALL, index=0)]
    answer, _ = await whole(steps, n=2)

    first, second = answer["choices"]
    assert first["finish_reason"] == "tool_calls"
    assert second["message"]["content"] == "plain"
    assert second["finish_reason"] == "stop"
