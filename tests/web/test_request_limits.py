"""What one request may bring and ask for, in every dialect."""

import json
from typing import Any

import pytest
from websockets.asyncio.client import connect

from frontend_api.domain.generation import Accepted
from tests.web.fakes import FakeGenerator, words
from tests.web.running import Json, ask, running_app, served, settings

LONG = "x" * 41
LIMITED = settings(limits={"max_prompt_length": 40, "max_messages_per_request": 3})
SAID = {"role": "user", "content": "x"}


def original(text: str, **fields: object) -> Json:
    return {"model-name": "demo", "prompt": text, **fields}


DIALECTS: list[tuple[str, Any]] = [
    ("/v1/chat/completions", ask),
    ("/v1/chat/completions", lambda text: ask(text, store=True)),
    ("/v1/completions", lambda text: {"model": "demo", "prompt": ["x", text]}),
    ("/v1/responses", lambda text: {"model": "demo", "input": text}),
    ("/v1/responses", lambda text: {"model": "demo", "input": "x", "instructions": text}),
    ("/chat/completions", original),
    ("/chat/completions", lambda text: original(text, **{"session-id": "s"})),
    ("/chat/completions", ask),
    ("/completions", lambda text: {"model": "demo", "prompt": text}),
]


@pytest.mark.parametrize(("path", "body"), DIALECTS)
async def test_a_prompt_with_too_many_characters_is_refused(path: str, body: Any) -> None:
    generator = FakeGenerator(words("Hi"))
    async with running_app(generator, chosen=LIMITED) as client:
        refused = await client.post(path, json=body(LONG))
        error = (await refused.get_json())["error"]
        answered = await client.post(path, json=body("short"))

    assert refused.status_code == 400
    assert error["code"] == "request_limit_exceeded"
    assert "this server takes at most 40" in error["message"]
    assert answered.status_code == 200
    assert generator.requests


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"model": "demo", "messages": [SAID] * 4}),
        ("/v1/chat/completions", {"model": "demo", "messages": [SAID] * 4, "store": True}),
        ("/v1/responses", {"model": "demo", "input": [SAID] * 4}),
        ("/chat/completions", original("y", messages=[SAID] * 3)),
    ],
)
async def test_a_request_with_too_many_messages_is_refused(path: str, body: Json) -> None:
    async with running_app(chosen=LIMITED) as client:
        refused = await client.post(path, json=body)
        error = (await refused.get_json())["error"]

    assert (refused.status_code, error["code"]) == (400, "request_limit_exceeded")
    assert "has 4 messages" in error["message"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/chat/ws", original(LONG)),
        ("/v1/responses", {"type": "response.create", "model": "demo", "input": LONG}),
    ],
)
async def test_sockets_have_the_same_limits(path: str, message: Json) -> None:
    async with (
        served(FakeGenerator(words("Hi")), LIMITED) as running,
        connect(f"ws://127.0.0.1:{running.port}{path}", proxy=None) as socket,
    ):
        await socket.send(json.dumps(message))
        answer = str(await socket.recv())

    assert "this server takes at most 40" in answer


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", ask(max_tokens=21)),
        ("/v1/chat/completions", ask(max_completion_tokens=21, stream=True)),
        ("/v1/completions", {"model": "demo", "prompt": "x", "max_tokens": 21}),
        ("/v1/responses", {"model": "demo", "input": "x", "max_output_tokens": 21}),
        ("/chat/completions", original("x", **{"max-token": 21})),
    ],
)
async def test_who_asks_for_too_long_an_answer_is_refused(path: str, body: Json) -> None:
    generator = FakeGenerator([Accepted(1), *words("Hi")])
    chosen = settings(limits={"max_response_tokens": 20})
    async with running_app(generator, chosen=chosen) as client:
        refused = await client.post(path, json=body)
        error = (await refused.get_json())["error"]

    assert (refused.status_code, error["code"]) == (400, "request_limit_exceeded")
    assert error["message"].startswith("max_tokens is too large: 21.")
    assert generator.requests == []


@pytest.mark.parametrize(("path", "body"), DIALECTS)
async def test_who_asks_for_no_length_gets_the_limit(path: str, body: Any) -> None:
    generator = FakeGenerator([Accepted(1), *words("Hi")])
    chosen = settings(limits={"max_response_tokens": 20})
    async with running_app(generator, chosen=chosen) as client:
        answered = await client.post(path, json=body("short"))
        await answered.get_data()

    assert answered.status_code == 200
    # The default of OpenAI's text completions is 16.
    assert {asked.max_tokens for asked in generator.requests} <= {16, 20}


@pytest.mark.parametrize(("path", "body"), DIALECTS)
async def test_a_prompt_with_too_many_tokens_is_refused(path: str, body: Any) -> None:
    generator = FakeGenerator([Accepted(31), *words("Hi")])
    chosen = settings(limits={"max_prompt_tokens": 30})
    async with running_app(generator, chosen=chosen) as client:
        refused = await client.post(path, json=body("short"))
        error = (await refused.get_json())["error"]

    assert (refused.status_code, error["code"]) == (400, "context_length_exceeded")
    assert (error["n_prompt_tokens"] % 31, error["n_ctx"]) == (0, 30)


@pytest.mark.parametrize(("num", "is_refused"), [(99, False), (100, True), (1000, True)])
async def test_json_of_too_many_levels_is_refused(num: int, is_refused: bool) -> None:
    deep = "[" * num + "1" + "]" * num
    body = json.dumps(ask(metadata={})).replace("{}", deep)
    async with running_app(FakeGenerator(words("Hi"))) as client:
        answer = await client.post(
            "/v1/chat/completions", data=body, headers={"content-type": "application/json"}
        )
        said = await answer.get_data(as_text=True)

    assert answer.status_code == 400
    assert ("json_too_deep" in said) == is_refused
