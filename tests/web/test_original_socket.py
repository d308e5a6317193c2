"""WS /chat/ws on a real uvicorn: frames of raw text, one message after another, bounded."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from frontend_api.domain.errors import BackendLost, ModelNotReady
from frontend_api.domain.generation import Accepted, Delta, GenerationRequest
from frontend_api.web.socket_connection import MAX_WAITING_MESSAGES
from tests.web.fakes import FakeGenerator, words
from tests.web.running import Served, metric, served, settings

ASKED: dict[str, Any] = {"model-name": "demo", "prompt": "Hi"}
PATIENCE_S = 10


@asynccontextmanager
async def socket_of(running: Served) -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{running.port}/chat/ws"
    async with asyncio.timeout(PATIENCE_S), connect(url, proxy=None) as socket:
        yield socket


async def answer(socket: ClientConnection, message: object) -> list[str]:
    """Return the frames of one answer, without the empty one that ends it."""
    await socket.send(message if isinstance(message, str) else json.dumps(message))
    frames = []
    while frame := str(await socket.recv()):
        frames.append(frame)
    return frames


async def test_an_answer_is_frames_of_raw_text() -> None:
    async with (
        served(FakeGenerator(words("Good", " day\n"))) as running,
        socket_of(running) as socket,
    ):
        frames = await answer(socket, ASKED)

    assert "".join(frames) == "Good day\n"


async def test_several_requests_are_answered_on_one_socket() -> None:
    generator = FakeGenerator(words("x"))
    async with served(generator) as running, socket_of(running) as socket:
        first = await answer(socket, ASKED)
        second = await answer(socket, {**ASKED, "prompt": "More"})

    assert (first, second) == (["x"], ["x"])
    assert [request.prompt.messages[-1].content for request in generator.requests] == ["Hi", "More"]  # type: ignore[union-attr]


async def test_requests_sent_together_are_answered_one_at_a_time() -> None:
    release = asyncio.Event()
    generator = FakeGenerator([release, *words("x")])
    async with served(generator) as running, socket_of(running) as socket:
        for _ in range(2):
            await socket.send(json.dumps(ASKED))
        await generator.opened.wait()
        num_at_first = generator.num_open
        release.set()
        frames = [await socket.recv() for _ in range(4)]

    assert num_at_first == 1
    assert frames == ["x", "", "x", ""]


async def test_a_socket_on_which_nothing_follows_is_closed_as_the_originals_ui_expects() -> None:
    async with served(FakeGenerator(words("x"))) as running, socket_of(running) as socket:
        await answer(socket, ASKED)

        rest = [frame async for frame in socket]

    assert rest == []
    assert socket.close_code == 1000


async def test_a_socket_that_never_asks_is_closed() -> None:
    chosen = settings(server={"body_timeout_s": 0.1})
    async with served(FakeGenerator(), chosen) as running, socket_of(running) as socket:
        assert [frame async for frame in socket] == []


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("{", "__ERROR__:We could not parse the JSON body"),
        ({"model-name": "demo"}, "__ERROR__:Missing required parameter: 'prompt'."),
        ({**ASKED, "max-token": 0}, "__ERROR__:Invalid 'max-token': integer below minimum"),
        ({**ASKED, "session-id": "s/"}, "__ERROR__:Invalid 'session-id'"),
        ({**ASKED, "model-name": "other"}, "__ERROR__:The model `other` does not exist"),
    ],
)
async def test_what_http_refuses_the_socket_refuses_and_goes_on(message: object, told: str) -> None:
    async with served(FakeGenerator(words("x"))) as running, socket_of(running) as socket:
        (frame,) = await answer(socket, message)
        after = await answer(socket, ASKED)

    assert frame.startswith(told)
    assert after == ["x"]


async def test_an_error_after_some_text_is_its_own_frame() -> None:
    steps = [*words("a", "b")[:1], BackendLost("The model is gone.")]
    async with served(FakeGenerator(steps)) as running, socket_of(running) as socket:
        frames = await answer(socket, ASKED)

    assert frames == ["a", "__ERROR__:The model is gone."]


async def test_text_that_looks_like_an_error_does_not_arrive_as_one() -> None:
    async with served(FakeGenerator(words("__ERROR__:"))) as running, socket_of(running) as socket:
        frames = await answer(socket, ASKED)

    assert "".join(frames) == "__ERROR__:"
    assert not any(frame.startswith("__ERROR__") for frame in frames)


async def test_closing_the_socket_stops_the_generation() -> None:
    generator = FakeGenerator([*words("a", "b")[:1], "hang"])
    async with served(generator) as running:
        async with socket_of(running) as socket:
            await socket.send(json.dumps(ASKED))
            await socket.recv()

        await asyncio.wait_for(generator.closed.wait(), PATIENCE_S)


async def test_a_flood_of_messages_closes_the_socket_and_stops_the_generation() -> None:
    generator = FakeGenerator(["hang"])
    async with served(generator) as running, socket_of(running) as socket:
        for _ in range(MAX_WAITING_MESSAGES + 2):
            await socket.send(json.dumps(ASKED))
        await socket.wait_closed()

        await generator.closed.wait()

    assert socket.close_code == 1008
    assert len(generator.requests) == 1


class Talkative(FakeGenerator):
    """Says a lot, at a pace, without end."""

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Accepted | Delta, None]:
        try:
            while True:
                await asyncio.sleep(0.005)
                yield Delta(0, "x" * 100_000, 1)
        finally:
            self.closed.set()


async def test_a_client_that_reads_nothing_loses_the_connection() -> None:
    generator = Talkative()
    chosen = settings(server={"write_timeout_s": 0.2})
    async with served(generator, chosen) as running, asyncio.timeout(PATIENCE_S):
        url = f"ws://127.0.0.1:{running.port}/chat/ws"
        async with connect(
            url, proxy=None, max_queue=1, compression=None, close_timeout=0.1
        ) as socket:
            await socket.send(json.dumps(ASKED))

            await generator.closed.wait()


async def test_a_message_is_counted_once() -> None:
    async with served(FakeGenerator(words("a", "b"))) as running:
        async with socket_of(running) as socket:
            await answer(socket, ASKED)
            await answer(socket, "{")
        counted = {
            name: await metric(running, name)
            for name in (
                "chat_completions_requests_total",
                "chat_completions_errors_total",
                "chat_generated_tokens_total",
                "chat_inference_duration_seconds_count",
            )
        }

    assert list(counted.values()) == [2.0, 1.0, 2.0, 1.0]


async def test_a_model_that_is_not_ready_is_told_on_the_socket() -> None:
    generator = FakeGenerator([ModelNotReady("It is loading.")])
    async with served(generator) as running, socket_of(running) as socket:
        assert await answer(socket, ASKED) == ["__ERROR__:It is loading."]


async def test_a_server_that_stops_ends_the_generation() -> None:
    generator = FakeGenerator([*words("a", "b")[:1], "hang"])
    async with served(generator) as running, socket_of(running) as socket:
        await socket.send(json.dumps(ASKED))
        await socket.recv()

        running.server.should_exit = True

        await asyncio.wait_for(generator.closed.wait(), PATIENCE_S)
