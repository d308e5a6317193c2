"""Nobody reaches the conversations of another owner, by whichever route."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from frontend_api.domain.generation import Accepted
from tests.web.fakes import FakeGenerator, words
from tests.web.owners import owned_clients

ALL = "/v1/conversations"
ITEM: dict[str, Any] = {"role": "user", "content": "secret"}
# {id}: a conversation of somebody else; {mine}: one's own; {message}, {response}: in the former.
ROUTES: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", ALL + "/{id}", None),
    ("POST", ALL + "/{id}", {"metadata": {"a": "b"}}),
    ("POST", ALL + "/{id}", {"x_conch": {"title": "Mine now"}}),
    ("DELETE", ALL + "/{id}", None),
    ("GET", ALL + "?after={id}", None),
    ("GET", ALL + "/{id}/items", None),
    ("POST", ALL + "/{id}/items", {"items": [ITEM]}),
    ("GET", ALL + "/{id}/items/{message}", None),
    ("GET", ALL + "/{mine}/items/{message}", None),
    ("GET", ALL + "/{mine}/items/{output}", None),
    ("DELETE", ALL + "/{id}/items/{message}", None),
    ("DELETE", ALL + "/{mine}/items/{message}", None),
    ("GET", ALL + "/{id}/tree", None),
    ("POST", ALL + "/{id}/head", {"message_id": None}),
    ("POST", ALL + "/{mine}/head", {"message_id": "{message}"}),
    ("POST", ALL + "/{id}/fork", {}),
    ("POST", ALL + "/{mine}/fork", {"message_id": "{message}"}),
    ("GET", ALL + "/{id}/export", None),
    ("POST", ALL, {"items": [{"type": "item_reference", "id": "{message}"}]}),
    ("POST", ALL + "/{mine}/items", {"items": [{"type": "item_reference", "id": "{output}"}]}),
    ("GET", "/v1/responses/{response}", None),
    ("DELETE", "/v1/responses/{response}", None),
    ("POST", "/v1/responses/{response}/cancel", None),
    ("GET", "/v1/responses/{response}/input_items", None),
    ("POST", "/v1/responses", {"model": "demo", "input": "x", "conversation": "{id}"}),
    (
        "POST",
        "/v1/responses",
        {"model": "demo", "input": "x", "previous_response_id": "{response}"},
    ),
    (
        "POST",
        "/v1/responses",
        {"model": "demo", "input": [{"type": "item_reference", "id": "{message}"}]},
    ),
    ("GET", "/chat/history/{id}", None),
    ("DELETE", "/chat/history/{id}", None),
    ("POST", "/chat/history/{id}/rollback", {"amount": 1}),
]


def filled(value: Any, names: dict[str, str]) -> Any:
    """Return the value with every name in braces replaced."""
    if isinstance(value, dict):
        return {key: filled(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, names) for each in value]
    return value.format(**names) if isinstance(value, str) else value


async def everything_of(client: httpx.AsyncClient, session_id: str) -> tuple[Any, Any]:
    return (
        (await client.get(f"{ALL}/{session_id}")).json(),
        (await client.get(f"{ALL}/{session_id}/tree")).json(),
    )


@pytest.mark.parametrize(
    ("method", "url", "body"), ROUTES, ids=[f"{m} {u} {b or ''}" for m, u, b in ROUTES]
)
async def test_what_belongs_to_another_is_a_404_and_stays_as_it_was(
    method: str, url: str, body: dict[str, Any] | None
) -> None:
    fake = FakeGenerator([Accepted(3), *words("secret")])
    async with owned_clients("me", "you", generator=fake) as [owner, stranger]:
        names = {"id": (await owner.post(ALL, json={"items": [ITEM]})).json()["id"]}
        names["mine"] = (await stranger.post(ALL, json={})).json()["id"]
        asked = {"model": "demo", "input": "x", "conversation": names["id"]}
        response = (await owner.post("/v1/responses", json=asked)).json()
        names["response"], names["output"] = response["id"], response["output"][0]["id"]
        tree = (await owner.get(f"{ALL}/{names['id']}/tree")).json()["data"]
        names["message"] = tree[0]["id"]
        before = await everything_of(owner, names["id"])

        answer = await stranger.request(method, filled(url, names), json=filled(body, names))
        after = await everything_of(owner, names["id"])

    assert answer.status_code == 404
    assert "secret" not in answer.text
    assert after == before


async def test_lists_and_searches_show_only_ones_own() -> None:
    async with owned_clients("me", "you") as [owner, stranger]:
        await owner.post(ALL, json={"items": [ITEM]})
        listed = (await stranger.get(ALL)).json()["data"]
        found = (await stranger.get(f"{ALL}/search?q=secret")).json()["data"]
        own = (await owner.get(f"{ALL}/search?q=secret")).json()["data"]

    assert (listed, found) == ([], [])
    assert len(own) == 1


@pytest.mark.parametrize("odd", ["$where", '{"$ne":null}', "a.b", "%00", "..%2f", "x" * 300])
async def test_an_odd_id_is_a_404(odd: str) -> None:
    async with owned_clients("me") as [client]:
        statuses = [
            (await client.get(f"{ALL}/{odd}")).status_code,
            (await client.get(f"{ALL}/{odd}/items")).status_code,
            (await client.delete(f"{ALL}/{odd}")).status_code,
            (await client.get(f"/chat/history/{odd}")).status_code,
        ]

    assert statuses == [404] * 4
