"""Idempotency-Key: one generation, one answer, however often the request is sent."""

import asyncio

import httpx
import pytest

from frontend_api.adapters.sqlite import memory_store
from frontend_api.domain.errors import EngineFailed, StoreLost
from frontend_api.domain.generation import Accepted, Delta
from frontend_api.domain.stored import IdempotencyClaim
from frontend_api.web.idempotency import MAX_KEPT_BYTES
from tests.web.fakes import HANG, FakeGenerator, words
from tests.web.running import Json, ask, running_app, served

CHAT = "/v1/chat/completions"
KEY = {"idempotency-key": "k-1"}
GOOD_DAY = [Accepted(3), *words("Good", " day")]


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (CHAT, ask()),
        (CHAT, ask(stream=True)),
        (CHAT, ask(session="s")),
        (CHAT, ask(session="s", stream=True)),
        ("/v1/completions", {"model": "demo", "prompt": "a"}),
        ("/v1/responses", {"model": "demo", "input": "a"}),
        ("/v1/responses", {"model": "demo", "input": "a", "stream": True}),
        ("/v1/responses", {"model": "demo", "input": "a", "background": True}),
        ("/completions", {"model": "demo", "prompt": "a"}),
        ("/completions", {"model": "demo", "prompt": "a", "stream": True}),
        ("/chat/completions", {"model-name": "demo", "prompt": "a"}),
        ("/chat/completions", ask()),
    ],
)
async def test_the_same_request_again_gets_the_same_bytes_and_runs_once(
    url: str, body: Json
) -> None:
    generator = FakeGenerator(GOOD_DAY)
    async with running_app(generator) as client:
        first = await client.post(url, json=body, headers=KEY)
        first_body = await first.get_data(as_text=False)
        second = await client.post(url, json=body, headers=KEY)
        second_body = await second.get_data(as_text=False)

    assert first.status_code == second.status_code == 200
    assert second_body == first_body
    assert second.content_type == first.content_type
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert len(generator.requests) == 1


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/v1/conversations", {"metadata": {"a": "b"}}),
        ("/v1/conversations/{id}/items", {"items": [{"role": "user", "content": "hi"}]}),
        ("/v1/conversations/{id}/fork", {}),
    ],
)
async def test_what_is_created_without_a_model_is_created_once(url: str, body: Json) -> None:
    store = memory_store()
    async with running_app(store=store) as client:
        made = await client.post("/v1/conversations", json={"items": []})
        url = url.replace("{id}", (await made.get_json())["id"])
        answers = [await client.post(url, json=body, headers=KEY) for _ in range(2)]
        bodies = [await answer.get_data(as_text=False) for answer in answers]

    assert answers[0].status_code == 200
    assert bodies[0] == bodies[1]
    assert answers[1].headers["idempotent-replayed"] == "true"


async def test_another_body_with_the_key_is_422() -> None:
    generator = FakeGenerator(GOOD_DAY)
    async with running_app(generator) as client:
        await client.post(CHAT, json=ask("one"), headers=KEY)
        response = await client.post(CHAT, json=ask("two"), headers=KEY)
        error = (await response.get_json())["error"]

    assert (response.status_code, error["code"]) == (422, "idempotency_key_reused")
    assert len(generator.requests) == 1


async def test_the_key_of_another_address_is_422() -> None:
    async with running_app(FakeGenerator(GOOD_DAY)) as client:
        await client.post(CHAT, json=ask(), headers=KEY)
        response = await client.post("/chat/completions", json=ask(), headers=KEY)

    assert response.status_code == 422


async def test_fifty_at_once_are_one_generation() -> None:
    go_on = asyncio.Event()
    generator = FakeGenerator([Accepted(3), go_on, *words("Good", " day")])
    async with running_app(generator) as client:

        async def send() -> tuple[int, bytes]:
            response = await client.post(CHAT, json=ask(), headers=KEY)
            return response.status_code, await response.get_data(as_text=False)

        sent = [asyncio.create_task(send()) for _ in range(50)]
        await asyncio.wait_for(generator.opened.wait(), 5)
        go_on.set()
        answers = set(await asyncio.gather(*sent))

    assert len(answers) == 1
    assert answers.pop()[0] == 200
    assert len(generator.requests) == 1


async def test_a_failure_of_ours_is_not_kept() -> None:
    generator = FakeGenerator([EngineFailed("x")])
    async with running_app(generator) as client:
        failed = await client.post(CHAT, json=ask(), headers=KEY)
        generator.steps = list(GOOD_DAY)
        again = await client.post(CHAT, json=ask(), headers=KEY)

    assert (failed.status_code, again.status_code) == (500, 200)
    assert "idempotent-replayed" not in again.headers


async def test_a_stream_that_ended_with_an_error_is_not_kept() -> None:
    generator = FakeGenerator([Accepted(1), Delta(0, "Good", 1), EngineFailed("x")])
    async with running_app(generator) as client:
        failed = await client.post(CHAT, json=ask(stream=True), headers=KEY)
        await failed.get_data(as_text=False)
        generator.steps = list(GOOD_DAY)
        again = await client.post(CHAT, json=ask(stream=True), headers=KEY)

    assert "idempotent-replayed" not in again.headers


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_answer_too_large_to_be_kept_is_not_generated_again(stream: bool) -> None:
    generator = FakeGenerator([Accepted(1), *words("x" * (MAX_KEPT_BYTES + 1))])
    async with running_app(generator) as client:
        first = await client.post(CHAT, json=ask(stream=stream), headers=KEY)
        await first.get_data(as_text=False)
        second = await client.post(CHAT, json=ask(stream=stream), headers=KEY)
        error = (await second.get_json())["error"]

    assert first.status_code == 200
    assert (second.status_code, error["code"]) == (409, "idempotent_answer_too_large")
    assert len(generator.requests) == 1


async def test_a_refusal_is_kept() -> None:
    generator = FakeGenerator(GOOD_DAY)
    async with running_app(generator) as client:
        answers = [await client.post(CHAT, json=ask(temperature=3), headers=KEY) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[1].headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é"])
async def test_a_bad_key_is_refused_before_anything_runs(key: str) -> None:
    generator = FakeGenerator(GOOD_DAY)
    async with running_app(generator) as client:
        response = await client.post(CHAT, json=ask(), headers={"idempotency-key": key})
        error = (await response.get_json())["error"]

    assert (response.status_code, error["param"]) == (400, "Idempotency-Key")
    assert generator.requests == []


async def test_a_route_that_creates_nothing_does_not_look_at_the_key() -> None:
    async with running_app() as client:
        body = {"model": "demo", "prompt": "a"}
        answers = [await client.post("/tokenize", json=body, headers=KEY) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert "idempotent-replayed" not in answers[1].headers


async def test_without_its_store_a_request_with_a_key_is_refused_before_anything_runs() -> None:
    generator = FakeGenerator(GOOD_DAY)
    store = memory_store()
    async with running_app(generator, store=store) as client:
        async with store.running():
            pass  # Closing it once more loses it for everybody.
        response = await client.post(CHAT, json=ask(), headers=KEY)

    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert generator.requests == []
    with pytest.raises(StoreLost):
        await store.claim(
            IdempotencyClaim(owner="o", key="k", fingerprint="f", claimed_at=0, expires_at=1)
        )


async def test_a_plain_stream_that_its_client_left_may_be_sent_again() -> None:
    generator = FakeGenerator([Accepted(1), Delta(0, "Good", 1), HANG])
    async with served(generator) as running:
        body = ask(stream=True)
        async with running.client.stream("POST", CHAT, json=body, headers=KEY) as response:
            await _read_until(response, "Good")
        await asyncio.wait_for(generator.closed.wait(), 5)
        generator.steps = list(GOOD_DAY)
        again = await running.client.post(CHAT, json=body, headers=KEY)

    assert "idempotent-replayed" not in again.headers
    assert " day" in again.text
    assert len(generator.requests) == 2


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (CHAT, ask(session="s", stream=True)),
        ("/v1/responses", {"model": "demo", "input": "a", "stream": True}),
    ],
)
async def test_a_stored_stream_that_its_client_left_is_read_again_from_its_beginning(
    url: str, body: Json
) -> None:
    go_on = asyncio.Event()
    generator = FakeGenerator([Accepted(1), Delta(0, "Good", 1), go_on, *words(" day")])
    async with served(generator) as running:
        async with running.client.stream("POST", url, json=body, headers=KEY) as response:
            seen = await _read_until(response, "Good")
        go_on.set()
        again = await running.client.post(url, json=body, headers=KEY)

    assert again.headers["idempotent-replayed"] == "true"
    assert again.text.startswith(seen)
    assert " day" in again.text
    assert len(generator.requests) == 1


async def _read_until(response: httpx.Response, text: str) -> str:
    seen = ""
    async for part in response.aiter_text():
        seen += part
        if text in seen:
            break
    return seen
