"""The line before a model as clients see it: their place in it, and its refusals."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx
import pytest
from websockets.asyncio.client import connect

from frontend_api.domain.generation import Accepted
from tests.web.fakes import DEMO, FakeCatalogue, FakeGenerator, words
from tests.web.keyed import bearer
from tests.web.running import Json, Served, ask, metric, served, settings

CHAT = "/v1/chat/completions"
NARROW = FakeCatalogue(replace(DEMO, max_sequences=1))
LIMIT_S = 10.0
AHEAD = b": queued, 1 ahead\n\n"
KEYS = {name: f"static-key-of-{name}-0123456789" for name in ("full", "other")}


@dataclass
class Busy:
    """A server whose only place is taken until `free`."""

    server: Served
    generator: FakeGenerator
    free: asyncio.Event
    asked: list["asyncio.Task[httpx.Response]"]

    @property
    def client(self) -> httpx.AsyncClient:
        return self.server.client

    async def ask(self, request_id: str = "", key: str = "full", **fields: object) -> None:
        """Ask for an answer; returns when the request is in line or has its place."""
        headers = bearer(KEYS[key]) | ({"x-request-id": request_id} if request_id else {})
        before = self.server.generations.num_begun
        asking = self.client.post(CHAT, json=ask("hi", **fields), headers=headers)
        self.asked.append(asyncio.create_task(asking))
        async with asyncio.timeout(LIMIT_S):
            while self.server.generations.num_begun == before:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)

    async def look(self, request_id: str) -> Json:
        found = await self.client.get(f"/v1/requests/{request_id}", headers=bearer(KEYS["full"]))
        return dict(found.json())

    async def until_position(self, request_id: str, position: int | None) -> Json:
        async with asyncio.timeout(LIMIT_S):
            while (told := await self.look(request_id)).get("queue_position") != position:
                pass
        return told

    async def answers(self) -> list[int]:
        """Free the place and return all statuses."""
        self.free.set()
        return [answer.status_code for answer in await asyncio.gather(*self.asked)]


@asynccontextmanager
async def busy(**limits: object) -> AsyncIterator[Busy]:
    """Yield a server of a model with one place, which is taken, and how to go on."""
    free = asyncio.Event()
    generator = FakeGenerator([Accepted(1), free, *words("a")])
    api_keys = [
        {"key": key, "name": name, "owner": "all", "scopes": ["chat", "sessions", "metrics"]}
        for name, key in KEYS.items()
    ]
    chosen = settings(
        server={"keepalive_interval_s": 0.02},
        triton={"queue_timeout_s": 0.02},
        security={"enable_auth": True, "api_keys": api_keys},
        limits=limits,
    )
    async with served(generator, chosen, catalogue=NARROW) as server:
        at = Busy(server, generator, free, [])
        await at.ask("first")
        await asyncio.wait_for(generator.opened.wait(), LIMIT_S)
        try:
            yield at
        finally:
            await at.answers()


async def read_until(answer: httpx.Response, expected: bytes) -> bytes:
    received = b""
    async with asyncio.timeout(LIMIT_S):
        async for part in answer.aiter_raw():
            received += part
            if expected in received:
                return received
    raise AssertionError(f"{expected!r} is not in {received!r}")


async def test_a_running_request_is_in_no_line_and_the_next_is_the_first() -> None:
    async with busy() as at:
        await at.ask("second")
        await at.ask("third")

        assert (await at.look("first"))["queue_position"] is None
        second = await at.until_position("second", 1)
        third = await at.until_position("third", 2)
        statuses = await at.answers()

    assert (second["state"], third["state"]) == ("queued", "queued")
    assert statuses == [200, 200, 200]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, ask(stream=True)),
        (CHAT, ask(stream=True, store=True)),
        ("/v1/responses", {"model": "demo", "input": "hi", "stream": True}),
        ("/chat/completions", {"model-name": "demo", "prompt": "hi"}),
        ("/completions", {"model": "demo", "prompt": "hi", "stream": True}),
    ],
    ids=["chat", "stored chat", "responses", "original chat", "original completion"],
)
async def test_a_silent_stream_says_how_many_are_ahead(path: str, body: Json) -> None:
    async with busy() as at:
        await at.ask("second")
        headers = bearer(KEYS["full"])
        async with at.client.stream("POST", path, json=body, headers=headers) as answer:
            assert answer.status_code == 200
            received = await read_until(answer, AHEAD)

    assert b": keepalive" not in received


async def test_a_heartbeat_of_the_socket_tells_the_places_of_its_responses() -> None:
    async with busy() as at:
        url = f"ws://127.0.0.1:{at.server.port}/v1/responses"
        headers = bearer(KEYS["full"])
        async with (
            asyncio.timeout(LIMIT_S),
            connect(url, proxy=None, additional_headers=headers) as socket,
        ):
            await socket.send(
                json.dumps({"type": "response.create", "model": "demo", "input": "hi"})
            )
            while "queued" not in (event := json.loads(await socket.recv())):
                assert event.get("type") != "error"

    assert event["type"] == "heartbeat"
    ((response_id, position),) = event["queued"].items()
    assert (response_id[:5], position) == ("resp_", 1)


async def test_a_request_in_line_is_cancelled_by_its_id_and_never_reaches_the_model() -> None:
    async with busy() as at:
        await at.ask("second", stream=True)
        await at.until_position("second", 1)

        await at.client.delete("/v1/requests/second", headers=bearer(KEYS["full"]))
        answer = await at.asked[-1]

        assert b"request_cancelled" in answer.content
        assert len(at.generator.requests) == 1


async def test_a_client_that_leaves_the_line_never_reaches_the_model() -> None:
    async with busy() as at:
        await at.ask("second")
        await at.ask("third")
        at.asked.pop(1).cancel()

        await at.until_position("third", 1)

        assert len(at.generator.requests) == 1


async def test_a_full_line_refuses_who_fills_it_and_lets_others_in() -> None:
    async with busy(max_queue_per_model=2) as at:
        await at.ask()
        await at.ask("last")
        headers = bearer(KEYS["full"])

        refused = await at.client.post(CHAT, json=ask(), headers=headers)
        await at.ask(key="other")
        statuses = await at.answers()
        metrics = await at.client.get("/metrics", headers=headers)

    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "too_many_waiting"
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert int(refused.headers["retry-after"]) >= 1
    assert statuses == [200, 200, 429, 200]
    assert 'conch_queue_refused_total{code="too_many_waiting",model="demo"} 2.0' in metrics.text


async def test_who_stands_in_line_for_too_long_is_told_to_come_back() -> None:
    async with busy(max_queue_s=0.05) as at:
        await at.ask()
        answer = await asyncio.wait_for(at.asked[-1], LIMIT_S)

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "overloaded"
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("trusted", "status", "code"),
    [("127.0.0.1", 503, "overloaded"), ("", 429, "too_many_waiting")],
)
async def test_without_keys_addresses_stand_in_line_as_far_as_proxies_may_tell_them(
    trusted: str, status: int, code: str
) -> None:
    free = asyncio.Event()
    generator = FakeGenerator([Accepted(1), free, *words("a")])
    chosen = settings(limits={"max_queue_per_model": 1}, security={"trusted_proxies": trusted})
    async with served(generator, chosen, catalogue=NARROW) as server:

        async def asked(address: str) -> httpx.Response:
            return await server.client.post(CHAT, json=ask(), headers={"x-forwarded-for": address})

        first = asyncio.create_task(asked("10.0.0.1"))
        await asyncio.wait_for(generator.opened.wait(), LIMIT_S)
        second = asyncio.create_task(asked("10.0.0.1"))
        async with asyncio.timeout(LIMIT_S):
            while not await metric(server, 'conch_queue_length{model="demo"}'):
                pass

        # Nobody's fault, unless all of it is one client's.
        refused = await asked("10.0.0.2")
        free.set()
        answers = await asyncio.gather(first, second)

    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert [answer.status_code for answer in answers] == [200, 200]
