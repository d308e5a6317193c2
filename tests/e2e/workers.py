"""Clients that know which worker of a Conch answers them, and what they say to it."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import httpx
import psutil

from tests.e2e.conch_process import LIMIT_S, Conch
from tests.web.responses_asked import URL, events

Json = dict[str, Any]
DELTA = "response.output_text.delta"
ENDS = {"response.completed", "response.incomplete", "response.failed"}


@contextmanager
def alone(conch: Conch, worker: psutil.Process) -> Iterator[None]:
    """Let no other worker take a connection, or do anything else, in the block."""
    others = [other for other in conch.workers() if other.pid != worker.pid]
    for other in others:
        other.suspend()
    try:
        yield
    finally:
        for other in others:
            other.resume()


@asynccontextmanager
async def clients_of(
    conch: Conch, worker: psutil.Process, count: int
) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Yield clients with one open connection each, to this worker; for a request at a time."""
    limits = httpx.Limits(max_connections=1, keepalive_expiry=None)
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=conch.url, timeout=LIMIT_S, limits=limits)
            )
            for _ in range(count)
        ]
        with alone(conch, worker):
            for client in clients:
                assert (await client.get("/health")).status_code == 200
        yield clients


@asynccontextmanager
async def a_client_of_each(
    conch: Conch,
) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """Yield a client of the first worker and one of the second."""
    first, second = conch.workers()
    async with clients_of(conch, first, 1) as (one,), clients_of(conch, second, 1) as (two,):
        yield one, two


class Stream:
    """The events of a response as they come; `seen` has those that were read."""

    def __init__(self, answer: httpx.Response) -> None:
        self.seen: list[Json] = []
        self._lines = answer.aiter_lines()

    @property
    def id(self) -> str:
        return str(self.seen[0]["response"]["id"])

    @property
    def last(self) -> int:
        """The number of the last event that was read."""
        return int(self.seen[-1]["sequence_number"])

    async def read(self, num_deltas: int) -> None:
        """Read on until so many pieces of text were seen in all."""
        async for _ in self:
            if sum(event["type"] == DELTA for event in self.seen) >= num_deltas:
                return

    async def rest(self) -> list[Json]:
        """Read to the end; all events."""
        async for _ in self:
            pass
        return self.seen

    async def __aiter__(self) -> AsyncIterator[Json]:
        async for line in self._lines:
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                self.seen.append(event)
                yield event


@asynccontextmanager
async def begun(http: httpx.AsyncClient, **asked: Any) -> AsyncIterator[Stream]:
    """Begin a response and yield its stream; `headers` are the request's."""
    headers = asked.pop("headers", None)
    body = {"model": "slow", "input": "Count.", "stream": True, **asked}
    async with http.stream("POST", URL, json=body, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield Stream(answer)


async def told(http: httpx.AsyncClient, response_id: str, after: int | None = None) -> list[Json]:
    """Return the events of a response after that number, to its end."""
    params: dict[str, str | int] = {"stream": "true"}
    if after is not None:
        params["starting_after"] = after
    answer = await http.get(f"{URL}/{response_id}", params=params)
    assert answer.status_code == 200, answer.text
    return events(answer.text)


async def got(http: httpx.AsyncClient, response_id: str) -> Json:
    """Return a response as it is."""
    answer = await http.get(f"{URL}/{response_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def spoken(seen: list[Json]) -> str:
    """Return the text of all deltas."""
    return "".join(event["delta"] for event in seen if event["type"] == DELTA)


def is_gapless(seen: list[Json]) -> bool:
    """Whether these are all events from the first on, each once and in order."""
    return [event["sequence_number"] for event in seen] == list(range(len(seen)))
