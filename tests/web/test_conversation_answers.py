"""Every answer about conversations is as /openapi.json says, and creating calls take keys."""

from __future__ import annotations

from typing import Any

import httpx

from frontend_api.app import create_app
from frontend_api.domain.generation import Accepted
from tests.web.conversing import ALL, alone, post, user
from tests.web.description import Description
from tests.web.fakes import FakeGenerator, words
from tests.web.owners import owned_clients
from tests.web.running import wired

CALLS: list[tuple[str, str, str, Any]] = [
    ("get", ALL, "", None),
    ("get", f"{ALL}/{{conversation_id}}", "", None),
    ("post", f"{ALL}/{{conversation_id}}", "", {"x_conch": {"title": None}}),
    ("post", f"{ALL}/{{conversation_id}}/items", "", {"items": [user("x")]}),
    ("get", f"{ALL}/{{conversation_id}}/items", "?limit=2&order=asc", None),
    ("get", f"{ALL}/{{conversation_id}}/items", "?limit=0", None),
    ("get", f"{ALL}/{{conversation_id}}/items/{{item_id}}", "", None),
    ("get", f"{ALL}/search", "?q=x", None),
    ("get", f"{ALL}/search", "", None),
    ("get", f"{ALL}/{{conversation_id}}/tree", "", None),
    ("post", f"{ALL}/{{conversation_id}}/fork", "", {}),
    ("get", f"{ALL}/{{conversation_id}}/export", "", None),
    ("get", f"{ALL}/{{conversation_id}}/export", "?format=markdown", None),
    ("post", f"{ALL}/import", "", {"mapping": {"a": {}}}),
    ("post", f"{ALL}/{{conversation_id}}/head", "", {"message_id": None}),
    ("delete", f"{ALL}/{{conversation_id}}/items/{{item_id}}", "", None),
    ("get", "/sessions", "", None),
    ("get", "/chat/history/{session_id}", "", None),
    ("post", "/chat/history/{session_id}/rollback", "", {"amount": 1}),
    ("delete", "/chat/history/{session_id}", "", None),
    ("delete", f"{ALL}/{{conversation_id}}", "", None),
]


async def test_every_answer_is_as_documented() -> None:
    says = Description.of(create_app(wired(FakeGenerator())))
    fake = FakeGenerator([Accepted(3), *words("Good")])
    async with owned_clients("me", generator=fake) as [client]:
        session = (await post(client, ALL, {"items": [user("x")]}))["id"]
        await post(
            client, "/v1/responses", {"model": "demo", "input": "y", "conversation": session}
        )
        items = (await client.get(f"{ALL}/{session}/items")).json()["data"]
        faults = {
            f"{method} {path}{query}": await _faults(says, client, (method, path, query, body), ids)
            for method, path, query, body in CALLS
            for ids in [
                {"conversation_id": session, "session_id": session, "item_id": items[-1]["id"]}
            ]
        }

    assert {call: found for call, found in faults.items() if found} == {}


async def _faults(
    says: Description,
    client: httpx.AsyncClient,
    call: tuple[str, str, str, Any],
    ids: dict[str, str],
) -> list[str]:
    method, path, query, body = call
    response = await client.request(method, path.format(**ids) + query, json=body)
    return says.faults_of_answer(says.operation(method, path), response)


async def test_a_creating_call_with_the_same_key_creates_once() -> None:
    async with alone() as client:
        body = {"items": [user("x")]}
        key = {"idempotency-key": "k1"}
        first = await client.post(ALL, json=body, headers=key)
        second = await client.post(ALL, json=body, headers=key)
        other = await client.post(ALL, json={}, headers=key)
        listed = (await client.get(ALL)).json()["data"]

    assert second.json() == first.json()
    assert other.status_code == 422
    assert len(listed) == 1
