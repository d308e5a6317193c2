"""Ways to ask for responses: with OpenAI's client, and with the bytes in view."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from openai import AsyncOpenAI

from frontend_api.adapters.sqlite import memory_store
from frontend_api.domain.generation import GenerationRequest
from frontend_api.ports import Store
from frontend_api.settings import Settings
from tests.web.fakes import TALKER, FakeCatalogue, FakeGenerator, Step
from tests.web.running import Json, Served, served

URL = "/v1/responses"


@dataclass(frozen=True)
class Desk:
    """A server on fakes, and its clients."""

    running: Served
    openai: AsyncOpenAI
    generator: FakeGenerator
    store: Store

    @property
    def http(self) -> httpx.AsyncClient:
        return self.running.client

    @property
    def requests(self) -> list[GenerationRequest]:
        return self.generator.requests

    async def post(self, **fields: object) -> tuple[int, Json]:
        """Ask; return status and body."""
        answer = await self.http.post(URL, json=asked(**fields))
        return answer.status_code, answer.json()

    async def told(self, **fields: object) -> list[Json]:
        """Ask for a stream; return its events."""
        answer = await self.http.post(URL, json=asked(**fields, stream=True))
        assert answer.status_code == 200, answer.text
        return events(answer.text)

    async def resumed(self, response_id: str, **query: int) -> list[Json]:
        """Return the events of a response."""
        params: dict[str, str | int] = {"stream": "true", **query}
        answer = await self.http.get(f"{URL}/{response_id}", params=params)
        assert answer.status_code == 200, answer.text
        return events(answer.text)


def asked(text: object = "Hi", **fields: object) -> Json:
    """Return the body of a request."""
    return {"model": "demo", "input": text, **fields}


def events(body: str) -> list[Json]:
    """Return what the server-sent events say; comments are left out."""
    found: list[Json] = []
    for block in body.split("\n\n"):
        if block and not block.startswith(":"):
            name, data = block.split("\n")
            found.append(json.loads(data.removeprefix("data: ")))
            assert name == f"event: {found[-1]['type']}"
    return found


def text_of(response: Any) -> str:
    """Return what a response says, from its JSON."""
    return "".join(
        part["text"]
        for item in response["output"]
        if item["type"] == "message"
        for part in item["content"]
    )


@asynccontextmanager
async def desk(
    steps: list[Step], chosen: Settings | None = None, store: Store | None = None
) -> AsyncIterator[Desk]:
    """Serve a model that says this."""
    generator, kept = FakeGenerator(steps), store or memory_store()
    async with (
        served(generator, chosen, store=kept, catalogue=FakeCatalogue(TALKER)) as running,
        AsyncOpenAI(
            base_url=f"http://127.0.0.1:{running.port}/v1", api_key="unused", max_retries=0
        ) as openai,
    ):
        yield Desk(running, openai, generator, kept)
