"""What holds between the messages of a chat: roles, content, calls and their answers."""

import pytest

from frontend_api.domain.generation import ChatMessage, ChatPrompt, MadeCall
from tests.web.fakes import FakeGenerator, words
from tests.web.running import Json, running_app

URL = "/v1/chat/completions"
ASKED: Json = {"role": "user", "content": "hi"}


def called(*ids: str, **fields: object) -> Json:
    function = {"name": "f", "arguments": "{}"}
    calls = [{"id": one, "type": "function", "function": function} for one in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls, **fields}


def answered(call_id: str) -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": "sunny"}


REFUSED: list[tuple[list[Json], str, str | None, str]] = [
    (
        [ASKED, {"role": "assistant", "content": None}],
        "messages[1].content",
        "invalid_type",
        "Invalid type for 'messages[1].content': expected one of a string or array of objects, "
        "but got null instead.",
    ),
    (
        [ASKED, {"role": "user"}],
        "messages[1].content",
        "missing_required_parameter",
        "Missing required parameter: 'messages[1].content'.",
    ),
    (
        [ASKED, {"role": "tool", "content": "x"}],
        "messages[1].tool_call_id",
        "missing_required_parameter",
        "Missing required parameter: 'messages[1].tool_call_id'.",
    ),
    (
        [ASKED, answered("a")],
        "messages[1].role",
        None,
        "Invalid parameter: messages with role 'tool' must be a response to a preceding message "
        "with 'tool_calls'.",
    ),
    (
        [ASKED, called("a"), answered("b")],
        "messages[2].tool_call_id",
        None,
        "Invalid parameter: 'tool_call_id' of 'b' not found in 'tool_calls' of previous message.",
    ),
    (
        [ASKED, called("a", "b"), answered("a"), ASKED],
        "messages[3].role",
        None,
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        "each 'tool_call_id'. The following tool_call_ids did not have response messages: b",
    ),
    (
        [ASKED, called("a")],
        "messages",
        None,
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        "each 'tool_call_id'. The following tool_call_ids did not have response messages: a",
    ),
    (
        [called("a", role="user", content="x")],
        "messages[0].tool_calls",
        "invalid_value",
        "Invalid parameter: 'messages[0].tool_calls' is not allowed in a message with role 'user'.",
    ),
    (
        [{**ASKED, "tool_call_id": "a"}],
        "messages[0].tool_call_id",
        "invalid_value",
        "Invalid parameter: 'messages[0].tool_call_id' is not allowed in a message with role "
        "'user'.",
    ),
    (
        [{"role": "function", "name": "f", "content": "x"}],
        "messages[0].role",
        "invalid_value",
        "Invalid value: 'function'. Supported values are: 'system', 'assistant', 'user', "
        "'developer', and 'tool'.",
    ),
    (
        [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "input_audio"}]}],
        "messages[0].content[1]",
        "unsupported_parameter",
        "Unsupported content: a part of type 'input_audio' is not supported with this model.",
    ),
    (
        [{"role": "user", "content": []}],
        "messages[0].content",
        "empty_array",
        "Invalid 'messages[0].content': empty array. Expected an array with minimum length 1, "
        "but got an empty array instead.",
    ),
]


@pytest.mark.parametrize(("messages", "param", "code", "sentence"), REFUSED)
async def test_messages_that_do_not_fit_together_are_refused(
    messages: list[Json], param: str, code: str | None, sentence: str
) -> None:
    generator = FakeGenerator()
    async with running_app(generator) as client:
        response = await client.post(URL, json={"model": "demo", "messages": messages})
        error = (await response.get_json())["error"]

    assert response.status_code == 400
    assert (error["param"], error["code"], error["message"]) == (param, code, sentence)
    assert generator.requests == []


async def test_calls_and_their_answers_reach_the_template() -> None:
    generator = FakeGenerator(words("x"))
    thought = called("a", "b", reasoning_content="hm")
    messages = [ASKED, thought, answered("b"), answered("a"), ASKED]
    async with running_app(generator) as client:
        response = await client.post(URL, json={"model": "demo", "messages": messages})

    assert response.status_code == 200
    prompt = generator.requests[0].prompt
    assert isinstance(prompt, ChatPrompt)
    calls = (MadeCall("a", "f", "{}"), MadeCall("b", "f", "{}"))
    assert prompt.messages[1] == ChatMessage("assistant", None, reasoning="hm", calls=calls)
    assert prompt.messages[2] == ChatMessage("tool", "sunny", call_id="b")


async def test_an_answer_can_be_sent_back_as_the_client_got_it() -> None:
    """openai-python's `message.model_dump()` has every field, the empty ones as null."""
    dumped = {
        "role": "assistant",
        "content": "hello",
        "refusal": None,
        "annotations": None,
        "audio": None,
        "function_call": None,
        "tool_calls": None,
    }
    async with running_app(FakeGenerator(words("x"))) as client:
        messages = [ASKED, dumped, ASKED]
        response = await client.post(URL, json={"model": "demo", "messages": messages})

    assert response.status_code == 200
