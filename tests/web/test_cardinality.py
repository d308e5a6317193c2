"""The page of metrics does not grow with the keys, ids, models and addresses that are made up."""

from __future__ import annotations

import secrets

import httpx

from tests.web.fakes import FakeGenerator, words
from tests.web.keyed import KEYS, bearer, keyed_app
from tests.web.running import ask

METHODS = ("GET", "POST", "DELETE", "BREW")


async def test_series_are_as_many_however_many_keys_and_ids_are_made_up() -> None:
    async with keyed_app(generator=FakeGenerator(words("Hi"))) as (_, client):
        await ask_everything(client)
        await series(client)  # its own, too, are there from the second look on
        before = await series(client)
        for _ in range(3):
            await ask_everything(client)
        after = await series(client)

    assert after == before
    assert len(after) > 100


async def ask_everything(client: httpx.AsyncClient) -> None:
    """Ask with keys that there are and that there are not, for what nobody has asked before."""
    for key in (KEYS["all"], f"ck_{secrets.token_hex(6)}_{'0' * 64}", secrets.token_hex(9)):
        made_up = secrets.token_hex(6)
        headers = {**bearer(key), "x-request-id": made_up, "x-forwarded-for": made_up}
        paths = (
            *(f"/{made_up}", f"/v1/models/{made_up}", f"/v1/responses/{made_up}"),
            *(f"/models/{made_up}", f"/admin/keys/{made_up}", f"/health?{made_up}"),
            *(f"/chat/history/{made_up}", f"/v1/requests/{made_up}"),
        )
        for path in paths:
            for method in METHODS:
                await client.request(method, path, headers=headers)
        for body in (ask(made_up), ask(made_up, model=made_up), ask(made_up, **{made_up: 1})):
            await client.post("/v1/chat/completions", json=body, headers=headers)


async def series(client: httpx.AsyncClient) -> set[str]:
    """Return all samples of the page, without their values."""
    page = (await client.get("/metrics", headers=bearer(KEYS["metrics"]))).text
    return {line.rpartition(" ")[0] for line in page.splitlines() if not line.startswith("#")}
