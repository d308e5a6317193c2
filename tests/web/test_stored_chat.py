"""Chat completions that are turns of a stored session."""

import asyncio

import pytest

from frontend_api.adapters.sqlite import memory_store
from frontend_api.domain.errors import BackendLost
from frontend_api.domain.generation import Accepted, ChatMessage, ChatPrompt, Delta
from frontend_api.domain.messages import items_of
from tests.web.fakes import TALKER, FakeCatalogue, FakeGenerator, words
from tests.web.running import Json, ask, events, running_app, served, settings

URL = "/v1/chat/completions"
OWNER = "default"


def said(text: str, role: str = "user") -> Json:
    return {"role": role, "content": text}


def prompts(generator: FakeGenerator) -> list[list[tuple[str, str | None]]]:
    """Return role and text of all that each run of the model was given."""
    asked = [request.prompt for request in generator.requests]
    return [
        [(turn.role, turn.content) for turn in prompt.messages]
        for prompt in asked
        if isinstance(prompt, ChatPrompt)
    ]


async def test_the_next_turn_of_a_session_goes_on_with_what_was_said() -> None:
    generator = FakeGenerator([Accepted(3), *words("Good", " day")])
    async with running_app(generator) as client:
        await client.post(URL, json=ask("hello", session="mine"))
        response = await client.post(URL, json=ask("again", session="mine"))
        answer = await response.get_json()

    first, second = prompts(generator)
    assert first == [("user", "hello")]
    assert second == [("user", "hello"), ("assistant", "Good day"), ("user", "again")]
    assert answer["choices"][0]["message"]["content"] == "Good day"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["completion_tokens"] == 2
    place = answer["x_conch"]["session"]
    assert (place["id"], place["saved"], place["num_dropped"]) == ("mine", True, 0)
    assert place["message_id"].startswith("resp_")


async def test_without_a_session_nothing_is_stored() -> None:
    store = memory_store()
    async with running_app(FakeGenerator(words("x")), store=store) as client:
        answer = await (await client.post(URL, json=ask())).get_json()
        page = await store.sessions(OWNER, 0, after=None, limit=10)

    assert "x_conch" not in answer
    assert page.sessions == []


async def test_store_makes_a_session_of_its_own() -> None:
    store = memory_store()
    async with running_app(FakeGenerator(words("x")), store=store) as client:
        answer = await (await client.post(URL, json=ask("a talk", store=True))).get_json()
        (session,) = (await store.sessions(OWNER, 0, after=None, limit=10)).sessions

    assert answer["x_conch"]["session"]["id"] == session.id
    assert (session.title, session.title_source) == ("a talk", "words")


async def test_a_stored_stream_is_a_chat_stream_and_tells_where_it_is_kept() -> None:
    generator = FakeGenerator([Accepted(3), *words("Good", " day")])
    options = {"include_usage": True}
    async with running_app(generator) as client:
        body = ask(session="mine", stream=True, stream_options=options)
        stream = events(await (await client.post(URL, json=body)).get_data(as_text=False))

    *chunks, done = stream
    assert done == "[DONE]"
    assert all(isinstance(chunk, dict) for chunk in chunks)
    first, *middle, last, usage = [chunk for chunk in chunks if isinstance(chunk, dict)]
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert not first["x_conch"]["session"]["saved"]
    text = "".join(chunk["choices"][0]["delta"]["content"] for chunk in middle)
    assert text == "Good day"
    assert last["choices"][0] == {
        "index": 0,
        "delta": {},
        "logprobs": None,
        "finish_reason": "stop",
    }
    assert last["x_conch"]["session"]["saved"]
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 5)


async def test_reasoning_and_calls_are_stored_and_answered_by_results() -> None:
    text = '<think>Hm.</think>Yes.<tool_call>{"name": "look", "arguments": {"at": 1}}</tool_call>'
    generator = FakeGenerator([Accepted(3), *words(text)])
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    async with running_app(generator, FakeCatalogue(TALKER)) as client:
        answer = await (await client.post(URL, json=ask(session="s", tools=[tool]))).get_json()
        (call,) = answer["choices"][0]["message"]["tool_calls"]
        result = {"role": "tool", "tool_call_id": call["id"], "content": "seen"}
        body = {**ask(session="s", tools=[tool]), "messages": [result]}
        second = await client.post(URL, json=body)

    assert answer["choices"][0]["message"]["reasoning_content"] == "Hm."
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    assert second.status_code == 200
    prompt = generator.requests[1].prompt
    assert isinstance(prompt, ChatPrompt)
    assert prompt.messages[1].calls[0].id == call["id"]
    assert prompt.messages[2] == ChatMessage("tool", "seen", call_id=call["id"])


async def test_every_message_of_the_request_is_kept() -> None:
    store = memory_store()
    body = ask(session="s")
    body["messages"] = [
        said("Be brief.", "developer"),
        said("one"),
        {"role": "assistant", "content": "1", "reasoning_content": "Hm."},
        said("two"),
    ]
    async with running_app(FakeGenerator(words("2")), store=store) as client:
        await client.post(URL, json=body)
        kept = await store.messages(OWNER, "s")

    items = [item for message in kept for _, item in message.items]
    assert [getattr(item, "role", "thought") for item in items] == [
        "developer",
        "user",
        "thought",
        "assistant",
        "user",
        "assistant",
    ]


async def test_a_client_that_leaves_does_not_stop_a_stored_answer() -> None:
    go_on = asyncio.Event()
    generator = FakeGenerator([Accepted(1), Delta(0, "Good", 1), go_on, *words(" day")])
    store = memory_store()
    async with served(generator, store=store) as running:
        body = ask(session="s", stream=True)
        async with running.client.stream("POST", URL, json=body) as response:
            async for line in response.aiter_lines():
                if "Good" in line:
                    break
        go_on.set()
        id_ = (await store.messages(OWNER, "s"))[-1].id
        # Ends when the answer has ended.
        await running.client.get(f"/v1/responses/{id_}", params={"stream": "true"})
        run = (await store.messages(OWNER, "s"))[-1].run

    assert run is not None
    assert run.status == "completed"
    assert [getattr(item, "text", "") for item in items_of(run.pieces)] == ["Good day"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_failure_of_the_model_is_told_and_what_was_said_is_kept(stream: bool) -> None:
    store = memory_store()
    generator = FakeGenerator([Accepted(1), Delta(0, "Good", 1), BackendLost("Triton is gone.")])
    async with running_app(generator, store=store) as client:
        response = await client.post(URL, json=ask(session="s", stream=stream))
        body = await response.get_data(as_text=False)
        last = (await store.messages(OWNER, "s"))[-1]

    assert response.status_code == (200 if stream else 503)
    assert b'"code":"backend_unavailable"' in body
    assert body.endswith(b"data: [DONE]\n\n") == stream
    assert last.run is not None
    assert last.run.status == "failed"
    assert last.text == "Good"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"return_token_ids": True}, "return_token_ids"),
        (
            {"stream": True, "stream_options": {"continuous_usage_stats": True}},
            "stream_options.continuous_usage_stats",
        ),
        ({"messages": [{**said("hi"), "name": "Ann"}]}, "messages[0].name"),
        ({"store": False}, "store"),
        ({"session": "a b"}, "session"),
        ({"session": ""}, "session"),
        ({"session": {"$ne": None}}, "session"),
        (
            {"messages": [said("a"), {"role": "tool", "tool_call_id": "x", "content": "b"}]},
            "messages[1].role",
        ),
    ],
)
async def test_what_a_session_cannot_keep_is_refused_by_name(fields: Json, param: str) -> None:
    generator = FakeGenerator(words("x"))
    async with running_app(generator) as client:
        response = await client.post(URL, json={**ask(session="s"), **fields})
        error = (await response.get_json())["error"]

    assert response.status_code == 400
    assert error["param"] == param
    assert generator.requests == []


@pytest.mark.parametrize("name", ["search", "import", ".", ".."])
@pytest.mark.parametrize(
    ("url", "body", "param"),
    [
        ("/v1/chat/completions", ask(), "session"),
        ("/chat/completions", {"model-name": "demo", "prompt": "Hi"}, "session-id"),
    ],
)
async def test_a_session_without_an_address_of_its_own_is_refused(
    name: str, url: str, body: Json, param: str
) -> None:
    async with running_app(FakeGenerator([Accepted(3), *words("a")])) as client:
        refused = await client.post(url, json={**body, param: name})
        error = (await refused.get_json())["error"]
        listed = await (await client.get("/sessions")).get_json()

    assert (refused.status_code, error["code"], error["param"]) == (400, "invalid_value", param)
    assert listed == []


async def test_without_its_store_a_session_is_refused_and_a_plain_chat_answered() -> None:
    store = memory_store()
    generator = FakeGenerator(words("x"))
    async with running_app(generator, store=store) as client:
        async with store.running():
            pass  # Closing it once more loses it for everybody.
        refused = await client.post(URL, json=ask(session="s"))
        plain = await client.post(URL, json=ask())
        ready = await client.get("/readiness")

    assert refused.status_code == 503
    assert (await refused.get_json())["error"]["code"] == "store_unavailable"
    assert plain.status_code == 200
    assert (await ready.get_json())["store"] == "unavailable"
    assert ready.status_code == 200


async def test_the_limit_of_sessions_holds_here_as_well() -> None:
    chosen = settings(limits={"max_sessions": 1})
    async with running_app(FakeGenerator(words("x")), chosen=chosen) as client:
        first = await client.post(URL, json=ask(session="a"))
        second = await client.post(URL, json=ask(session="b"))
        again = await client.post(URL, json=ask(session="a"))

    assert [each.status_code for each in (first, second, again)] == [200, 429, 200]
