"""Clients of several owners, told apart by a header as keys will do it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import httpx

from frontend_api.app import create_app
from frontend_api.ports import Clock
from frontend_api.service.callers import DEFAULT_OWNER
from frontend_api.settings import Settings
from frontend_api.web.owner import OWNER_KEY
from tests.web.fakes import FakeCatalogue, FakeGenerator
from tests.web.running import wired

_HEADER = b"x-test-owner"


@asynccontextmanager
async def owned_clients(
    *names: str,
    generator: FakeGenerator | None = None,
    chosen: Settings | None = None,
    catalogue: FakeCatalogue | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Run one application in memory; hand out a client for each owner."""
    wiring = wired(generator or FakeGenerator(), catalogue, chosen)
    app = create_app(replace(wiring, clock=clock or wiring.clock))
    inner = cast(Any, app.asgi_app)

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        owner = dict(scope.get("headers", ())).get(_HEADER, DEFAULT_OWNER.encode())
        await inner({**scope, OWNER_KEY: owner.decode()}, receive, send)

    app.asgi_app = outer  # type: ignore[method-assign]
    async with app.test_app():
        clients = [
            httpx.AsyncClient(
                transport=httpx.ASGITransport(cast(Any, app)),
                base_url="http://localhost",
                headers={_HEADER.decode(): name},
            )
            for name in names
        ]
        yield clients
        for client in clients:
            await client.aclose()
