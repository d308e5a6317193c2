"""What the tests of conversations ask an application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from frontend_api.domain.generation import Accepted
from tests.web.fakes import TALKER, FakeCatalogue, FakeGenerator, words
from tests.web.owners import owned_clients
from tests.web.running import settings

Json = dict[str, Any]
ALL = "/v1/conversations"


@asynccontextmanager
async def alone(said: str = "Good day", **sections: Json) -> AsyncIterator[httpx.AsyncClient]:
    fake = FakeGenerator([Accepted(3), *words(said)])
    chosen = settings(**sections) if sections else None
    catalogue = FakeCatalogue(TALKER)
    async with owned_clients("me", generator=fake, chosen=chosen, catalogue=catalogue) as [client]:
        yield client


def user(text: str) -> Json:
    return {"role": "user", "content": text}


async def post(client: httpx.AsyncClient, url: str, body: object, status: int = 200) -> Json:
    response = await client.post(url, json=body)
    assert response.status_code == status, response.text
    return dict(response.json())


async def get(client: httpx.AsyncClient, url: str, status: int = 200) -> Json:
    response = await client.get(url)
    assert response.status_code == status, response.text
    return dict(response.json())


async def made(client: httpx.AsyncClient, *texts: str) -> str:
    body = {"items": [user(text) for text in texts]}
    return str((await post(client, ALL, body))["id"])


async def in_view(client: httpx.AsyncClient, session_id: str) -> list[str]:
    items = (await get(client, f"{ALL}/{session_id}/items?order=asc&limit=100"))["data"]
    return [item["content"][0]["text"] for item in items]


async def ask(client: httpx.AsyncClient, session_id: str, text: str) -> Json:
    body = {"model": "demo", "input": text, "conversation": session_id}
    return await post(client, "/v1/responses", body)
