"""Looking at a running request and stopping it by its id."""

import asyncio

import pytest

from frontend_api.domain.generation import Accepted, Delta
from tests.web.fakes import HANG, FakeGenerator
from tests.web.running import ask, events, running_app, served

CHAT = "/v1/chat/completions"
JOB = "/v1/requests/job-1"


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", JOB), ("POST", f"{JOB}/cancel")], ids=["delete", "cancel"]
)
async def test_a_stream_is_stopped_by_its_id_and_ends_with_an_error_event(
    method: str, path: str
) -> None:
    generator = FakeGenerator([Accepted(3), Delta(0, "Tri", 1), HANG])
    async with served(generator) as server:
        running = asyncio.create_task(
            server.client.post(CHAT, json=ask(stream=True), headers={"x-request-id": "job-1"})
        )
        await asyncio.wait_for(generator.opened.wait(), 5)

        told = await server.client.request(method, path)
        response = await asyncio.wait_for(running, 5)

    assert told.status_code == 200
    assert (told.json()["id"], told.json()["state"]) == ("job-1", "cancelled")
    *_, error, done = events(response.content)
    assert isinstance(error, dict)
    assert error["error"]["code"] == "request_cancelled"
    assert done == "[DONE]"
    assert generator.num_open == 0


async def test_a_whole_answer_that_is_stopped_is_an_error_nobody_retries() -> None:
    generator = FakeGenerator([Accepted(3), HANG])
    async with served(generator) as server:
        running = asyncio.create_task(
            server.client.post(CHAT, json=ask(), headers={"x-request-id": "job-1"})
        )
        await asyncio.wait_for(generator.opened.wait(), 5)
        await server.client.delete(JOB)
        response = await asyncio.wait_for(running, 5)

    assert response.status_code == 499
    assert response.json()["error"]["code"] == "request_cancelled"


async def test_a_running_request_says_how_far_it_is() -> None:
    goes_on = asyncio.Event()
    generator = FakeGenerator([Accepted(3), goes_on, Delta(0, "Tri", 2), HANG])
    async with served(generator) as server:
        running = asyncio.create_task(
            server.client.post(CHAT, json=ask(), headers={"x-request-id": "job-1"})
        )
        await asyncio.wait_for(generator.opened.wait(), 5)
        queued = (await server.client.get(JOB)).json()
        goes_on.set()
        async with asyncio.timeout(5):
            while (told := (await server.client.get(JOB)).json())["state"] == "queued":
                pass
        await server.client.delete(JOB)
        await asyncio.wait_for(running, 5)

    assert queued["state"] == "queued"
    assert told == {
        "id": "job-1",
        "object": "request",
        "model": "demo",
        "state": "running",
        "queue_position": None,
        "prompt_tokens": 3,
        "completion_tokens": 2,
    }


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_id_that_does_not_run_is_a_404(method: str) -> None:
    async with running_app() as client:
        response = await (client.get(JOB) if method == "GET" else client.delete(JOB))
        error = (await response.get_json())["error"]

    assert response.status_code == 404
    assert error["code"] == "not_found"


async def test_a_request_that_has_ended_is_gone() -> None:
    generator = FakeGenerator([Delta(0, "x", 1, "stop")])
    async with running_app(generator) as client:
        await client.post(CHAT, json=ask(), headers={"x-request-id": "job-1"})
        response = await client.get(JOB)

    assert response.status_code == 404
