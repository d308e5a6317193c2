"""Clients that leave, stall or are cut off, on a real uvicorn: nothing may go on running."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx

from frontend_api.domain.generation import Accepted, Delta
from tests.web.fakes import HANG, FakeGenerator, Step
from tests.web.running import Served, ask, events, metric, served, settings

URL = "/v1/chat/completions"
PATIENCE_S = 5


async def settled(server: Served) -> None:
    """Wait until no generation runs."""
    async with asyncio.timeout(PATIENCE_S):
        while await metric(server, 'conch_generations_in_flight{model="demo"}'):
            pass


async def test_a_client_that_leaves_mid_stream_stops_the_model() -> None:
    generator = FakeGenerator([Accepted(1), Delta(0, "a", 1), HANG])
    async with served(generator) as server:
        async with server.client.stream("POST", URL, json=ask(stream=True)) as response:
            async for chunk in response.aiter_text():
                if '"a"' in chunk:
                    break

        await asyncio.wait_for(generator.closed.wait(), PATIENCE_S)
        await settled(server)


async def test_a_client_that_leaves_before_the_first_byte_stops_the_model() -> None:
    generator = FakeGenerator([HANG])
    async with served(generator) as server:
        asking = asyncio.create_task(server.client.post(URL, json=ask(stream=True)))
        await asyncio.wait_for(generator.opened.wait(), PATIENCE_S)

        asking.cancel()

        await asyncio.wait_for(generator.closed.wait(), PATIENCE_S)
        await settled(server)


async def test_a_client_that_leaves_without_streaming_stops_the_model() -> None:
    generator = FakeGenerator([Accepted(1), HANG])
    async with served(generator) as server:
        asking = asyncio.create_task(server.client.post(URL, json=ask()))
        await asyncio.wait_for(generator.opened.wait(), PATIENCE_S)

        asking.cancel()

        await asyncio.wait_for(generator.closed.wait(), PATIENCE_S)


async def test_a_client_that_reads_nothing_is_cut_off() -> None:
    # More than the buffers of both sockets hold, so that the server's writes come to a stop.
    flood: list[Step] = [Accepted(1), *(Delta(0, "x" * 100_000, 1) for _ in range(200)), HANG]
    generator = FakeGenerator(flood)
    impatient = settings(server={"write_timeout_s": 0.2})
    async with served(generator, impatient) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as stalled:
            body = b'{"model":"demo","stream":true,"messages":[{"role":"user","content":"hi"}]}'
            stalled.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
                b"content-length: %d\r\n\r\n%s" % (len(body), body)
            )

            await asyncio.wait_for(generator.closed.wait(), PATIENCE_S)
            await settled(server)


async def test_draining_ends_a_stream_with_an_error_event_and_refuses_new_requests() -> None:
    generator = FakeGenerator([Accepted(1), Delta(0, "a", 1), HANG])
    async with (
        served(generator) as server,
        server.client.stream("POST", URL, json=ask(stream=True)) as response,
    ):
        server.generations.drain(0.2)
        refused = await server.client.post(URL, json=ask())
        ready = await server.client.get("/readiness")
        *_, error, done = events(await response.aread())

    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "shutting_down"
    assert ready.status_code == 503
    assert isinstance(error, dict)
    assert error["error"]["code"] == "shutting_down"
    assert done == "[DONE]"
    assert generator.num_open == 0


async def test_a_forced_stop_still_closes_the_model_run() -> None:
    generator = FakeGenerator([Accepted(1), HANG])
    async with served(generator, drain_s=0.2) as server:
        asking = asyncio.create_task(server.client.post(URL, json=ask()))
        await asyncio.wait_for(generator.opened.wait(), PATIENCE_S)

        server.server.should_exit = True

        await asyncio.wait_for(generator.closed.wait(), PATIENCE_S)
        await asyncio.wait([asking])
        assert isinstance(asking.exception(), httpx.HTTPError) or asking.result().is_error


async def test_a_large_body_is_answered_413_while_the_client_still_sends() -> None:
    async with served(FakeGenerator()) as server:
        response = await server.client.post(URL, content=b"x" * 5_000_000)

    assert response.status_code == 413
    assert response.json()["error"]["code"] == "content_too_large"


async def test_a_large_chunked_body_is_answered_413() -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 100_000

    async with served(FakeGenerator()) as server:
        response = await server.client.post(URL, content=body())

    assert response.status_code == 413


async def test_eight_streams_at_once_are_all_complete() -> None:
    generator = FakeGenerator([Accepted(1), Delta(0, "a", 1), Delta(0, "b", 1, "stop")])
    async with served(generator) as server:
        answers = await asyncio.gather(
            *(server.client.post(URL, json=ask(stream=True)) for _ in range(8))
        )

    assert all(answer.text.endswith("data: [DONE]\n\n") for answer in answers)
    assert len(generator.requests) == 8
