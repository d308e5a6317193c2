"""What Conch counts is what its client has counted: a thousand mixed requests, four workers.

Some are answered, some refused, some cancelled by their id, and of some the client leaves: in the
middle of a stream, or before any answer.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from scripts.watching.samples import Page, read_page, total
from tests.e2e.conch_process import LIMIT_S, Conch, running_conch

CHAT = "/v1/chat/completions"
REQUEST = "/v1/requests/<path:request_id>"
# How many of each; together a thousand.
PARTS = {
    "whole": 400,
    "streamed": 250,
    "no_such_model": 100,
    "bad_body": 80,
    "too_long": 50,
    "no_such_page": 30,
    "cancelled": 40,
    "left_in_stream": 40,
    "left_before": 10,
}
NUM_AT_ONCE = 24
NUM_WORKERS = 4
LEFT = 499


@dataclass
class Counts:
    """What a client can know. cut: generations of `slow`, of which it has seen a part."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    generations: Counter[tuple[str, str]] = field(default_factory=Counter)
    completion_tokens: int = 0
    prompt_tokens: int = 0
    seen_of_cut: int = 0


@pytest.fixture(scope="module")
def crowded(repository: Path) -> Iterator[Conch]:
    """A Conch of four workers with the two simulated models."""
    models = ["--model", "steady", "--model", "slow"]
    workers = ["--workers", str(NUM_WORKERS)]
    with running_conch("--repository", str(repository), *workers, *models) as conch:
        assert conch.url
        yield conch


async def test_every_count_is_that_of_an_independent_client(crowded: Conch) -> None:
    assert sum(PARTS.values()) == 1000
    before = await settled(crowded)
    counts = await asked(crowded)
    after = await settled(crowded)

    assert grown(before, after, "conch_http_requests_total", "route", "status") == {
        (route, str(status)): number for (route, status), number in counts.requests.items()
    }
    by_route: Counter[tuple[str, ...]] = Counter()
    for (route, _), number in counts.requests.items():
        by_route[(route,)] += number
    assert grown(before, after, "conch_http_request_duration_seconds_count", "route") == by_route
    assert grown(before, after, "conch_generations_total", "model", "outcome") == counts.generations
    tokens = grown(before, after, "conch_tokens_total", "model", "kind")
    assert tokens["steady", "completion"] == counts.completion_tokens
    assert tokens["steady", "prompt"] == counts.prompt_tokens
    assert tokens["slow", "completion"] >= counts.seen_of_cut
    first = grown(before, after, "conch_time_to_first_token_seconds_count", "model")
    assert first["steady",] == PARTS["whole"] + PARTS["streamed"]


async def asked(conch: Conch) -> Counts:
    """Ask everything, in no order, a few at once, each on a connection of its own."""
    counts = Counts()
    kinds = [kind for kind, number in PARTS.items() for _ in range(number)]
    random.Random(1).shuffle(kinds)
    places = asyncio.Semaphore(NUM_AT_ONCE)
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=conch.url, timeout=LIMIT_S, limits=limits) as client:

        async def ask(kind: str, number: int) -> None:
            async with places:
                await ASK[kind](client, counts, f"mixed-{number}")

        async with asyncio.TaskGroup() as group:
            for number, kind in enumerate(kinds):
                group.create_task(ask(kind, number))
    return counts


def body(model: str, max_tokens: int, text: str = "Count.", **more: object) -> Mapping[str, object]:
    messages = [{"role": "user", "content": text}]
    return {"model": model, "messages": messages, "max_tokens": max_tokens, **more}


async def whole(client: httpx.AsyncClient, counts: Counts, _: str) -> None:
    answer = await client.post(CHAT, json=body("steady", 3))
    _completed(counts, answer.status_code, answer.json()["usage"])


async def streamed(client: httpx.AsyncClient, counts: Counts, _: str) -> None:
    told = body("steady", 4, stream=True, stream_options={"include_usage": True})
    async with client.stream("POST", CHAT, json=told) as answer:
        lines = [line async for line in answer.aiter_lines() if line.startswith("data: {")]
    usage = httpx.Response(200, content=lines[-1].removeprefix("data: ")).json()["usage"]
    _completed(counts, answer.status_code, usage)


def _completed(counts: Counts, status: int, usage: Mapping[str, int]) -> None:
    counts.requests[CHAT, status] += 1
    counts.generations["steady", "completed"] += 1
    counts.prompt_tokens += usage["prompt_tokens"]
    counts.completion_tokens += usage["completion_tokens"]


async def no_such_model(client: httpx.AsyncClient, counts: Counts, _: str) -> None:
    answer = await client.post(CHAT, json=body("nothing", 3))
    counts.requests[CHAT, answer.status_code] += 1


async def bad_body(client: httpx.AsyncClient, counts: Counts, _: str) -> None:
    answer = await client.post(CHAT, json=body("steady", -1))
    counts.requests[CHAT, answer.status_code] += 1


async def too_long(client: httpx.AsyncClient, counts: Counts, _: str) -> None:
    answer = await client.post(CHAT, json=body("steady", 3, "word " * 9000))
    counts.requests[CHAT, answer.status_code] += 1
    counts.generations["steady", answer.json()["error"]["code"]] += 1


async def no_such_page(client: httpx.AsyncClient, counts: Counts, name: str) -> None:
    answer = await client.put(f"/v1/{name}")
    counts.requests["unknown", answer.status_code] += 1


async def cancelled(client: httpx.AsyncClient, counts: Counts, name: str) -> None:
    """Begin a stream and have it cancelled by its id, perhaps by another worker."""
    told, headers = body("slow", 500, stream=True), {"x-request-id": name}
    async with client.stream("POST", CHAT, json=told, headers=headers) as answer:
        lines = answer.aiter_lines()
        await _until_text(lines)
        stopped = await client.delete(f"/v1/requests/{name}")
        rest = [line async for line in lines]
    assert any("request_cancelled" in line for line in rest), rest
    counts.requests[CHAT, answer.status_code] += 1
    counts.requests[REQUEST, stopped.status_code] += 1
    counts.generations["slow", "request_cancelled"] += 1
    counts.seen_of_cut += 1


async def left_in_stream(client: httpx.AsyncClient, counts: Counts, _: str) -> None:
    async with client.stream("POST", CHAT, json=body("slow", 500, stream=True)) as answer:
        await _until_text(answer.aiter_lines())
    counts.requests[CHAT, answer.status_code] += 1
    counts.generations["slow", "cancelled"] += 1
    counts.seen_of_cut += 1


async def left_before(client: httpx.AsyncClient, counts: Counts, name: str) -> None:
    """Leave while the model is asked; that it is, other workers tell as well."""
    headers = {"x-request-id": name}
    asking = asyncio.create_task(client.post(CHAT, json=body("slow", 500), headers=headers))
    is_running = False
    while not is_running:
        answer = await client.get(f"/v1/requests/{name}")
        counts.requests[REQUEST, answer.status_code] += 1
        is_running = answer.status_code == 200
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    counts.requests[CHAT, LEFT] += 1
    counts.generations["slow", "cancelled"] += 1


ASK = {
    each.__name__: each
    for each in (
        *(whole, streamed, no_such_model, bad_body, too_long, no_such_page),
        *(cancelled, left_in_stream, left_before),
    )
}


async def _until_text(lines: AsyncIterator[str]) -> None:
    """Read a stream to its first text, of one token at least."""
    async for line in lines:
        if '"content":"' in line and '"content":""' not in line:
            return
    raise AssertionError("the stream ended without a text")


async def settled(conch: Conch) -> Page:
    """Return the metrics once nothing runs any more but the request for them."""
    async with httpx.AsyncClient(base_url=conch.url, timeout=LIMIT_S) as client:
        async with asyncio.timeout(LIMIT_S):
            while True:
                page = read_page((await client.get("/metrics")).text)
                running = total(page, "conch_generations_in_flight")
                if running == 0 and total(page, "conch_http_requests_in_flight") == 1:
                    return page


def grown(before: Page, after: Page, name: str, *labels: str) -> Mapping[tuple[str, ...], float]:
    """Return how much each series of a counter has grown, by these labels; not of the scrapes."""
    found: Counter[tuple[str, ...]] = Counter()
    for told, value in after.get(name, {}).items():
        by = dict(told)
        more = value - before.get(name, {}).get(told, 0)
        if more and by.get("route") not in ("/metrics", "/readiness", "/health"):
            found[tuple(by[label] for label in labels)] += int(more)
    return found
