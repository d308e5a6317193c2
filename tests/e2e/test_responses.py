"""Responses on the real Triton and two API workers: nothing is lost, whoever leaves and returns."""

import asyncio
import json
import random
from typing import Any

import httpx
from openai import AsyncOpenAI
from openai.types.responses import Response
from websockets.asyncio.client import connect

from tests.e2e.conch_process import LIMIT_S, Conch
from tests.web.responses_asked import URL, events, text_of

Json = dict[str, Any]
SPOKEN: Json = {"model": "steady", "input": "Count.", "max_output_tokens": 24}
NUM_LEAVING = 60


async def told(http: httpx.AsyncClient, response_id: str, after: int | None = None) -> list[Json]:
    """Return the events of a response, from whichever worker answers."""
    params: dict[str, str | int] = {"stream": "true"}
    if after is not None:
        params["starting_after"] = after
    return events((await http.get(f"{URL}/{response_id}", params=params)).text)


async def left(http: httpx.AsyncClient, num_events: int) -> list[Json]:
    """Begin a response, and leave after so many of its events."""
    seen: list[Json] = []
    async with http.stream("POST", URL, json={**SPOKEN, "stream": True}) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                seen.append(json.loads(line.removeprefix("data: ")))
                if len(seen) == num_events:
                    break
    return seen


def deltas(found: list[Json]) -> str:
    return "".join(event["delta"] for event in found if event["type"].endswith("text.delta"))


async def test_a_conversation_of_two_turns(openai: AsyncOpenAI) -> None:
    first = await openai.responses.create(model="demo", input="What is Conch?", temperature=0)
    second = await openai.responses.create(
        model="demo", input="Thanks!", previous_response_id=first.id, temperature=0
    )
    found = await openai.responses.retrieve(second.id)

    assert isinstance(first, Response)
    assert found.output_text == second.output_text != ""
    assert found.usage is not None
    assert first.usage is not None
    assert found.usage.input_tokens > first.usage.input_tokens


async def test_a_response_is_resumed_at_every_number(http: httpx.AsyncClient) -> None:
    answer = await http.post(URL, json={**SPOKEN, "stream": True})
    whole = events(answer.text)
    response_id = whole[0]["response"]["id"]

    for last in range(len(whole)):
        assert await told(http, response_id, last) == whole[last + 1 :]


async def test_clients_that_leave_anywhere_and_return_miss_nothing(conch: Conch) -> None:
    chance = random.Random(4)
    limits = httpx.Limits(max_keepalive_connections=0)

    async def one(num_events: int) -> list[Json]:
        async with httpx.AsyncClient(
            base_url=conch.url, timeout=LIMIT_S, limits=limits, trust_env=False
        ) as client:
            seen = await left(client, num_events)
            response_id, last = seen[0]["response"]["id"], seen[-1]["sequence_number"]
            return [*seen, *await told(client, response_id, last)]

    points = [chance.randrange(1, 28) for _ in range(NUM_LEAVING)]
    for found in await asyncio.gather(*map(one, points)):
        assert [event["sequence_number"] for event in found] == list(range(len(found)))
        assert deltas(found) == text_of(found[-1]["response"])
        assert found[-1]["response"]["usage"]["output_tokens"] == SPOKEN["max_output_tokens"]


async def test_a_background_response_is_cancelled_from_anywhere(openai: AsyncOpenAI) -> None:
    running = await openai.responses.create(
        model="slow", input="Count.", max_output_tokens=500, background=True
    )
    stopped = await openai.responses.cancel(running.id)
    kept = await openai.responses.retrieve(running.id)

    assert stopped.status == kept.status == "cancelled"


async def test_many_responses_on_one_socket(conch: Conch) -> None:
    url = conch.url.replace("http://", "ws://") + URL
    found: dict[str, list[Json]] = {}
    async with asyncio.timeout(LIMIT_S), connect(url, proxy=None) as socket:
        for number in range(12):
            message = {"type": "response.create", "stream_id": str(number), **SPOKEN}
            await socket.send(json.dumps(message))
        while sum(each[-1]["type"] == "response.incomplete" for each in found.values()) < 12:
            event = json.loads(await socket.recv())
            found.setdefault(event["stream_id"], []).append(event)

    for each in found.values():
        assert [event["sequence_number"] for event in each] == list(range(len(each)))
        assert deltas(each) == text_of(each[-1]["response"])
