"""The original service's dialect against the real Triton, with two API workers."""

import asyncio
import json
import re
from typing import Any

import httpx
from websockets.asyncio.client import connect

from tests.e2e.conch_process import LIMIT_S, Conch

TEXT: dict[str, Any] = {"model": "demo", "prompt": "Conch is", "temperature": 0, "max_tokens": 16}
CHAT: dict[str, Any] = {"model-name": "demo", "prompt": "What is Conch?", "max-token": 16}
WHOLE = {"text", "model", "tokens"}


def text_of(stream: str) -> str:
    """Return the joined data of all events; a comment is none."""
    blocks = [block for block in stream.split("\n\n") if block.startswith("data:")]
    return "".join(
        "\n".join(line.removeprefix("data: ") for line in block.split("\n")) for block in blocks
    )


async def answer(socket: Any, message: dict[str, Any]) -> list[str]:
    await socket.send(json.dumps(message))
    frames = []
    while frame := await asyncio.wait_for(socket.recv(), LIMIT_S):
        frames.append(str(frame))
    return frames


async def sample(http: httpx.AsyncClient, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", (await http.get("/metrics")).text, re.M)
    assert found, name
    return float(found[1])


def socket_url(conch: Conch) -> str:
    return conch.url.replace("http://", "ws://") + "/chat/ws"


async def test_models_are_listed_and_described(http: httpx.AsyncClient) -> None:
    listed = (await http.get("/models")).json()
    model = (await http.get("/models/demo")).json()

    assert "demo" in listed["models"]
    assert set(model) == {"id", "name", "context_length", "quantization"}
    assert (await http.get("/models/other")).status_code == 404


async def test_a_streamed_completion_is_the_text_of_a_whole_one(http: httpx.AsyncClient) -> None:
    whole = (await http.post("/completions", json=TEXT)).json()
    streamed = await http.post("/completions", json={**TEXT, "stream": True})

    assert set(whole) == WHOLE
    assert 0 < whole["tokens"] <= 16
    assert text_of(streamed.text) == whole["text"]


async def test_a_chat_streams_raw_text(http: httpx.AsyncClient) -> None:
    streamed = await http.post("/chat/completions", json=CHAT)

    assert streamed.status_code == 200
    assert text_of(streamed.text)
    assert "__ERROR__" not in streamed.text


async def test_both_dialects_share_the_root_addresses(http: httpx.AsyncClient) -> None:
    asked = {"model": "demo", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}

    answer_ = await http.post("/chat/completions", json=asked)

    assert answer_.json()["object"] == "chat.completion"


async def test_a_socket_answers_several_requests_and_then_closes(conch: Conch) -> None:
    async with connect(socket_url(conch), proxy=None) as socket:
        first = await answer(socket, CHAT)
        wrong = await answer(socket, {**CHAT, "model-name": "other"})
        second = await answer(socket, {**CHAT, "model-name": "steady"})
        rest = [frame async for frame in socket]

    assert first
    assert second
    assert wrong[0].startswith("__ERROR__:The model `other` does not exist")
    assert rest == []


async def test_a_message_over_the_limit_closes_the_socket(conch: Conch) -> None:
    async with connect(socket_url(conch), proxy=None) as socket:
        await socket.send(json.dumps({**CHAT, "prompt": "x" * 1_100_000}))
        await asyncio.wait_for(socket.wait_closed(), LIMIT_S)

    assert socket.close_code == 1009


async def test_requests_are_counted_once_over_all_workers(
    conch: Conch, http: httpx.AsyncClient
) -> None:
    before = await sample(http, "completions_requests_total")

    for _ in range(8):
        async with httpx.AsyncClient(base_url=conch.url, timeout=LIMIT_S) as another:
            await another.post("/completions", json={**TEXT, "max_tokens": 1})

    assert await sample(http, "completions_requests_total") - before == 8
