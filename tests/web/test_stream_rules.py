"""The rules of an OpenAI event stream, one test each (facts/openai_api.md, section 5)."""

import asyncio
import re

import orjson
import pytest

from frontend_api.domain.errors import BackendLost, ContextTooLong, Overloaded
from frontend_api.domain.generation import Accepted, Delta
from tests.web.fakes import TALKER, FakeCatalogue, FakeGenerator, words
from tests.web.running import Json, ask, events, metric, running_app, served, settings

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
WITH_USAGE: Json = {"stream_options": {"include_usage": True}}


async def body_of(generator: FakeGenerator, url: str = CHAT, **fields: object) -> bytes:
    asked: Json = ask("hi", stream=True, **fields)
    if url == TEXT:
        asked = {"model": "demo", "prompt": "hi", "stream": True, **fields}
    async with running_app(generator, FakeCatalogue(TALKER)) as client:
        response = await client.post(url, json=asked)
        return bytes(await response.get_data(as_text=False))


async def test_every_frame_is_one_data_line_and_a_blank_line() -> None:
    body = await body_of(FakeGenerator(words("a\nb", "c")))

    frames = body.split(b"\n\n")
    assert frames[-1] == b""
    assert all(re.fullmatch(rb"data: [^\n]+", frame) for frame in frames[:-1])
    assert b"event:" not in body
    assert b"\nid:" not in body


@pytest.mark.parametrize("error", [ContextTooLong("long"), Overloaded("busy")])
async def test_what_is_refused_before_the_first_delta_has_its_own_status(
    error: ContextTooLong | Overloaded,
) -> None:
    async with running_app(FakeGenerator([error])) as client:
        response = await client.post(CHAT, json=ask(stream=True))

    assert response.status_code == error.status
    assert response.content_type == "application/json"


async def test_one_role_chunk_for_each_choice_comes_first_and_never_again() -> None:
    generator = FakeGenerator([*words("a", index=1), *words("b", index=0)])
    chunks = [e for e in events(await body_of(generator, n=2)) if isinstance(e, dict)]

    first = [chunk["choices"][0] for chunk in chunks[:2]]
    assert [choice["index"] for choice in first] == [0, 1]
    assert all(c["delta"] == {"role": "assistant", "content": ""} for c in first)
    assert all("role" not in chunk["choices"][0]["delta"] for chunk in chunks[2:])


async def test_all_chunks_share_id_created_model_and_object() -> None:
    found = events(await body_of(FakeGenerator(words("a", "b"))))
    chunks = [event for event in found if isinstance(event, dict)]

    heads = {(c["id"], c["created"], c["model"], c["object"]) for c in chunks}
    assert len(heads) == 1


async def test_each_choice_has_exactly_one_finish_reason_in_an_empty_delta() -> None:
    generator = FakeGenerator([*words("a", index=1), *words("b", index=0, reason="length")])
    chunks = [e for e in events(await body_of(generator, n=2)) if isinstance(e, dict)]

    last = [c["choices"][0] for c in chunks if c["choices"][0]["finish_reason"]]
    assert sorted((c["index"], c["finish_reason"]) for c in last) == [(0, "length"), (1, "stop")]
    assert all(c["delta"] == {} for c in last)


async def test_usage_is_null_in_every_chunk_and_comes_last_without_choices() -> None:
    body = await body_of(FakeGenerator([Accepted(2), *words("a", "b")]), **WITH_USAGE)
    *chunks, usage, done = events(body)

    assert done == "[DONE]"
    assert all(isinstance(c, dict) and c["usage"] is None for c in chunks)
    assert isinstance(usage, dict)
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 4


async def test_without_the_option_no_chunk_speaks_of_usage() -> None:
    assert b'"usage"' not in await body_of(FakeGenerator(words("a")))


async def test_stream_options_without_a_stream_are_refused() -> None:
    async with running_app() as client:
        response = await client.post(CHAT, json=ask(stream_options={"include_usage": True}))

    assert response.status_code == 400


async def test_a_client_that_left_is_still_accounted() -> None:
    hanging = asyncio.Event()
    generator = FakeGenerator([Accepted(3), Delta(0, "Tri", 2), hanging])
    async with served(generator) as server:
        async with server.client.stream("POST", CHAT, json=ask(stream=True)) as response:
            async for line in response.aiter_lines():
                if "Tri" in line:
                    break
        await asyncio.wait_for(generator.closed.wait(), 5)
        completion = await metric(server, 'conch_tokens_total{kind="completion",model="demo"}')
        prompt = await metric(server, 'conch_tokens_total{kind="prompt",model="demo"}')

    assert (prompt, completion) == (3, 2)


@pytest.mark.parametrize("url", [CHAT, TEXT])
async def test_done_is_the_very_last_frame(url: str) -> None:
    assert (await body_of(FakeGenerator(words("a")), url)).endswith(b"data: [DONE]\n\n")


async def test_an_error_after_the_200_is_an_event_with_all_four_keys_then_done() -> None:
    *_, error, done = events(await body_of(FakeGenerator([Delta(0, "a", 1), BackendLost("gone")])))

    assert isinstance(error, dict)
    assert set(error["error"]) == {"message", "type", "param", "code"}
    assert done == "[DONE]"


async def test_no_usage_follows_an_error() -> None:
    generator = FakeGenerator([Accepted(1), Delta(0, "a", 1), BackendLost("gone")])
    body = await body_of(generator, **WITH_USAGE)

    assert b'"choices":[]' not in body


async def test_keepalives_are_comments_that_begin_before_the_first_token() -> None:
    first_token = asyncio.Event()
    chosen = settings(server={"keepalive_interval_s": 0.01}, triton={"queue_timeout_s": 0.01})
    generator = FakeGenerator([first_token, *words("a")])
    received = b""
    async with (
        running_app(generator, chosen=chosen) as client,
        client.request(CHAT, method="POST") as connection,
    ):
        await connection.send(orjson.dumps(ask(stream=True)))
        await connection.send_complete()
        while received.count(b": keepalive\n\n") < 2:
            received += await connection.receive()
        first_token.set()
        while not received.endswith(b"[DONE]\n\n"):
            received += await connection.receive()

    lines = [line for line in received.split(b"\n") if line]
    assert all(line.startswith((b"data: {", b"data: [DONE]", b": ")) for line in lines)


async def test_a_text_stream_interleaves_choices_prompt_major() -> None:
    generator = FakeGenerator([*words("x", index=0), *words("y", index=1)])
    chunks = [
        e
        for e in events(await body_of(generator, TEXT, prompt=["a", "b"], n=2))
        if isinstance(e, dict)
    ]

    texts: dict[int, str] = {}
    for chunk in chunks:
        assert chunk["object"] == "text_completion"
        (choice,) = chunk["choices"]
        assert set(choice) == {"index", "text", "logprobs", "finish_reason"}
        texts[choice["index"]] = texts.get(choice["index"], "") + choice["text"]
    assert texts == {0: "x", 1: "y", 2: "x", 3: "y"}
