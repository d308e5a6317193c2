"""What the audit says of who did what, and who was turned away."""

from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from quart import Quart
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.web.fakes import FakeGenerator, words
from tests.web.keyed import KEYS, TINY, bearer, keyed_app, with_keys
from tests.web.running import Json, ask, served

ADMIN = bearer(KEYS["admin"])
ID = "config:admin"


async def entries(client: httpx.AsyncClient, **wanted: str | int) -> list[Json]:
    answer = await client.get("/admin/audit", headers=ADMIN, params=wanted)
    assert answer.status_code == 200
    found: list[Json] = answer.json()["data"]
    return [entry for entry in found if entry["action"] != "admin_audit.list_entries"]


def told(entry: Json) -> tuple[str, str, str, str]:
    return entry["actor"], entry["action"], entry["subject"], entry["outcome"]


async def test_admin_calls_are_noted_with_what_they_did_and_to_what() -> None:
    async with keyed_app() as (_, client):
        asked = {**ADMIN, "x-request-id": "mine"}
        made = (await client.post("/admin/keys", json={"name": "x"}, headers=asked)).json()
        await client.post(f"/admin/keys/{made['id']}/rotate", headers=ADMIN)
        await client.delete(f"/admin/keys/{made['id']}", headers=ADMIN)
        await client.get("/admin/keys/nobody", headers=ADMIN)
        found = await entries(client)

    assert {told(entry) for entry in found} == {
        (ID, "admin_keys.create_key", made["id"], "done"),
        (ID, "admin_keys.rotate_key", made["id"], "done"),
        (ID, "admin_keys.revoke_key", made["id"], "done"),
        (ID, "admin_keys.get_key", "nobody", "not_found"),
    }
    assert "mine" in {entry["request_id"] for entry in found}
    assert {entry["address"] for entry in found} == {"127.0.0.1"}
    assert made["key"] not in str(found)


@pytest.mark.parametrize(
    ("headers", "actor", "outcome"),
    [
        ({}, "127.0.0.1", "api_key_required"),
        (bearer("wrong-key-0123456789"), "127.0.0.1", "invalid_api_key"),
        (bearer(KEYS["sessions"]), "config:sessions", "missing_scope"),
    ],
)
async def test_who_is_turned_away_is_noted(
    headers: Mapping[str, str], actor: str, outcome: str
) -> None:
    async with keyed_app() as (_, client):
        await client.post("/v1/chat/completions", json=ask(), headers=headers)
        (entry,) = await entries(client)

    assert told(entry) == (actor, "request.refused", "/v1/chat/completions", outcome)
    assert "wrong-key" not in str(entry)


async def test_what_is_simply_wrong_is_not_noted() -> None:
    async with keyed_app() as (_, client):
        await client.post("/v1/chat/completions", content="{", headers=bearer(KEYS["chat"]))
        await client.get("/nothing", headers=bearer(KEYS["chat"]))

        assert await entries(client) == []


async def test_refused_prompts_and_answers_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    rules = ("prompt", "bomb"), ("answer", "secret")
    path.write_text(
        "".join(
            f"[[rule]]\nname='{word}s'\npattern='{word}'\nwhere='{place}'\naction='refuse'\n"
            for place, word in rules
        )
    )
    chosen = with_keys(security={"blocklist_path": str(path)})
    async with keyed_app(chosen, FakeGenerator(words("a secret"))) as (_, client):
        for text in ("a bomb", "hello"):
            await client.post("/v1/chat/completions", json=ask(text), headers=bearer(KEYS["chat"]))
        found = await entries(client, actor="config:chat")

    assert {told(entry)[1:] for entry in found} == {
        ("request.refused", "demo", "content_filter"),
        ("answer.refused", "secrets", "content_filter"),
    }
    assert "bomb" not in str(found)


@pytest.mark.parametrize(
    ("headers", "actor", "outcome"),
    [
        ({"origin": "https://evil.example"}, "127.0.0.1", "origin_not_allowed"),
        (bearer("wrong-key-0123456789"), "127.0.0.1", "invalid_api_key"),
        (bearer(KEYS["sessions"]), "config:sessions", "missing_scope"),
    ],
)
async def test_refused_handshakes_are_noted(
    headers: Mapping[str, str], actor: str, outcome: str
) -> None:
    async with served(FakeGenerator(), with_keys(), catalogue=TINY) as running:
        url = f"ws://127.0.0.1:{running.port}/chat/ws"
        with pytest.raises(InvalidStatus):
            async with connect(url, proxy=None, additional_headers=headers):
                pass
        (entry,) = await entries(running.client)

    assert told(entry) == (actor, "request.refused", "/chat/ws", outcome)


async def test_the_audit_is_read_in_pages_and_by_its_admins_only() -> None:
    async with keyed_app() as (app, client):
        for name in "abc":
            await client.get(f"/admin/keys/{name}", headers=ADMIN)
        first = (await client.get("/admin/audit?limit=2", headers=ADMIN)).json()
        last_id = first["last_id"]
        second = (await client.get(f"/admin/audit?after={last_id}", headers=ADMIN)).json()
        refused = await client.get("/admin/audit", headers=bearer(KEYS["chat"]))
        changed = [
            await client.request(method, "/admin/audit", headers=ADMIN)
            for method in ("POST", "DELETE", "PUT", "PATCH")
        ]

    assert isinstance(app, Quart)
    assert (len(first["data"]), first["has_more"]) == (2, True)
    assert {entry["id"] for entry in first["data"]}.isdisjoint(e["id"] for e in second["data"])
    assert refused.status_code == 403
    assert {answer.status_code for answer in changed} == {405}
