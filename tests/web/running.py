"""The application on fakes: in memory through Quart's client, or on a real uvicorn."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from quart import Quart
from quart.typing import TestClientProtocol

from frontend_api.adapters.sqlite import memory_store
from frontend_api.app import create_app
from frontend_api.http_protocol import HttpConfig
from frontend_api.ports import Store
from frontend_api.service.generations import Generations
from frontend_api.settings import Settings, load_settings
from frontend_api.telemetry import Telemetry
from frontend_api.wiring import Wiring, rules_of
from tests.web.fake_tokenizer import FakeTokenizer
from tests.web.fakes import FakeCatalogue, FakeControl, FakeGenerator, FixedClock

Json = dict[str, Any]


def settings(**sections: Mapping[str, object]) -> Settings:
    return load_settings(None, {}, sections)


def wired(
    generator: FakeGenerator,
    catalogue: FakeCatalogue | None = None,
    chosen: Settings | None = None,
    tokenizing: FakeTokenizer | None = None,
    store: Store | None = None,
) -> Wiring:
    catalogue = catalogue or FakeCatalogue()
    return Wiring(
        settings=chosen or settings(),
        catalogue=catalogue,
        generator=generator,
        control=FakeControl(catalogue),
        tokenizing=tokenizing or FakeTokenizer(),
        store=store or memory_store(),
        rules=rules_of((chosen or settings()).security),
        telemetry=Telemetry(),
        clock=FixedClock(),
    )


@asynccontextmanager
async def running_app(
    generator: FakeGenerator | None = None,
    catalogue: FakeCatalogue | None = None,
    chosen: Settings | None = None,
    tokenizing: FakeTokenizer | None = None,
    store: Store | None = None,
) -> AsyncIterator[TestClientProtocol]:
    """Hand out Quart's own client; no sockets."""
    app = create_app(wired(generator or FakeGenerator(), catalogue, chosen, tokenizing, store))
    async with app.test_app() as test_app:
        yield test_app.test_client()


@dataclass(frozen=True)
class Served:
    """A server that runs, a client of it, and the use case behind it."""

    client: httpx.AsyncClient
    generations: Generations
    server: uvicorn.Server
    port: int


@asynccontextmanager
async def served(
    generator: FakeGenerator,
    chosen: Settings | None = None,
    drain_s: float = 5,
    store: Store | None = None,
    catalogue: FakeCatalogue | None = None,
) -> AsyncIterator[Served]:
    """Run uvicorn on a free port of loopback, in this loop."""
    async with serving(create_app(wired(generator, catalogue, chosen, store=store)), drain_s) as it:
        yield it


@asynccontextmanager
async def serving(
    app: Quart, drain_s: float = 5, head_timeout_s: float = 10
) -> AsyncIterator[Served]:
    """Run any application so."""
    config = HttpConfig(
        app,
        head_timeout_s=head_timeout_s,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=drain_s,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        running = asyncio.create_task(server.serve([listener]))
        try:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False
            ) as client:
                yield Served(client, app.extensions["generations"], server, port)
        finally:
            server.should_exit = True
            await asyncio.wait_for(running, 20)


def ask(text: str = "hi", **fields: object) -> Json:
    """Return the body of a chat request."""
    return {"model": "demo", "messages": [{"role": "user", "content": text}], **fields}


def counts(usage: Json) -> tuple[int, int, int]:
    """Return prompt, completion and total tokens."""
    return usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]


def events(body: bytes | str) -> list[Json | str]:
    """Return the events of a stream: JSON as objects, `[DONE]` and comments as text."""
    text = body.decode() if isinstance(body, bytes) else body
    found: list[Json | str] = []
    for block in text.split("\n\n"):
        if block.startswith("data: {"):
            found.append(json.loads(block.removeprefix("data: ")))
        elif block:
            found.append(block.removeprefix("data: "))
    return found


async def metric(served_: Served, name: str) -> float:
    """Return the value of one sample of the metrics page; 0 when it is not there."""
    page = (await served_.client.get("/metrics")).text
    for line in page.splitlines():
        sample, _, value = line.rpartition(" ")
        if sample == name:
            return float(value)
    return 0.0
