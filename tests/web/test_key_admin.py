"""/admin/keys: a key's whole life, and what is refused."""

from collections.abc import AsyncIterator

import httpx
import pytest
from quart import Quart

from tests.web.description import Description
from tests.web.keyed import KEYS, bearer, keyed_app
from tests.web.running import Json, ask

ADMIN = bearer(KEYS["admin"])


@pytest.fixture
async def both() -> AsyncIterator[tuple[Quart, httpx.AsyncClient]]:
    async with keyed_app() as (app, client):
        client.headers.update(ADMIN)
        yield app, client


@pytest.fixture
def client(both: tuple[Quart, httpx.AsyncClient]) -> httpx.AsyncClient:
    return both[1]


async def made(client: httpx.AsyncClient, **fields: object) -> Json:
    response = await client.post("/admin/keys", json={"name": "laptop", **fields})
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


async def status_with(client: httpx.AsyncClient, key: str) -> int:
    return (await client.get("/v1/models", headers=bearer(key))).status_code


async def test_a_new_key_works_and_is_shown_this_once(client: httpx.AsyncClient) -> None:
    answer = await made(client, owner="alice", scopes=["chat"], models=["tiny"])
    key = answer.pop("key")
    shown = await client.get(f"/admin/keys/{answer['id']}")
    listed = await client.get("/admin/keys")

    assert key.startswith(f"ck_{answer['id']}_")
    assert await status_with(client, key) == 200
    assert shown.json() == answer
    assert listed.json()["data"][-1] == answer
    secret = key.rpartition("_")[2]
    assert secret not in shown.text + listed.text
    assert shown.headers["cache-control"] == "no-store"
    assert (answer["owner"], answer["scopes"], answer["models"]) == ("alice", ["chat"], ["tiny"])
    assert (answer["state"], answer["source"]) == ("active", "database")


async def test_a_key_without_an_owner_has_sessions_of_its_own(client: httpx.AsyncClient) -> None:
    one, other = await made(client), await made(client)
    begun = await client.post("/v1/conversations", json={}, headers=bearer(one["key"]))

    url = f"/v1/conversations/{begun.json()['id']}"
    assert (await client.get(url, headers=bearer(one["key"]))).status_code == 200
    assert (await client.get(url, headers=bearer(other["key"]))).status_code == 404
    assert one["owner"] == one["id"]


async def test_an_overlap_in_the_body_is_refused_rather_than_ignored(
    client: httpx.AsyncClient,
) -> None:
    key = await made(client)

    answer = await client.post(f"/admin/keys/{key['id']}/rotate", json={"overlap_seconds": 0})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "overlap_seconds")
    assert await status_with(client, key["key"]) == 200


async def test_a_key_with_limits_is_held_to_them(client: httpx.AsyncClient) -> None:
    limits = {
        "requests_per_minute": 1,
        "tokens_per_minute": 1000,
        "tokens_per_day": 2000,
        "parallel_requests": 3,
        "priority_weight": 4,
    }
    key = await made(client, **limits)

    body = ask(max_tokens=5)
    answers = [
        await client.post("/v1/chat/completions", json=body, headers=bearer(key["key"]))
        for _ in range(2)
    ]

    assert key["limits"] == limits
    assert [answer.status_code for answer in answers] == [200, 429]


async def test_changed_limits_count_at_once_and_the_others_stay(client: httpx.AsyncClient) -> None:
    key = await made(client, requests_per_minute=1, parallel_requests=3)
    headers, one = bearer(key["key"]), f"/admin/keys/{key['id']}"

    async def asked() -> int:
        answer = await client.post("/v1/chat/completions", json=ask(), headers=headers)
        return answer.status_code

    before = [await asked(), await asked()]
    more = await client.post(one, json={"requests_per_minute": 3})
    after = [await asked(), await asked(), await asked()]
    none = await client.post(one, json={"requests_per_minute": None})
    free = await asked()

    assert (before, after, free) == ([200, 429], [200, 200, 429], 200)
    assert (more.json()["limits"]["requests_per_minute"], more.json()["state"]) == (3, "active")
    assert none.json()["limits"] == {**key["limits"], "requests_per_minute": None}


@pytest.mark.parametrize(
    ("key_id", "body", "status"),
    [
        ("0123456789ab", {"requests_per_minute": 1}, 404),
        ("config:all", {"requests_per_minute": 1}, 409),
        ("config:all", {"priority_weight": None}, 400),
        ("config:all", {"name": "x"}, 400),
    ],
)
async def test_limits_that_cannot_be_changed_are_refused(
    client: httpx.AsyncClient, key_id: str, body: Json, status: int
) -> None:
    refused = await client.post(f"/admin/keys/{key_id}", json=body)

    assert refused.status_code == status


async def test_a_rotated_key_has_two_secrets_during_the_overlap(client: httpx.AsyncClient) -> None:
    first = await made(client)
    url = f"/admin/keys/{first['id']}/rotate"
    second = (await client.post(url)).json()

    assert await status_with(client, first["key"]) == 200
    assert await status_with(client, second["key"]) == 200
    assert second["old_key_valid_until"] - second["updated_at"] == 86_400

    third = (await client.post(url, params={"overlap_seconds": 0})).json()

    statuses = [await status_with(client, each["key"]) for each in (first, second, third)]
    assert statuses == [401, 401, 200]
    assert third["old_key_valid_until"] is None


async def test_a_revoked_key_stays_in_the_list_and_lets_nobody_in(
    client: httpx.AsyncClient,
) -> None:
    key = await made(client)
    assert await status_with(client, key["key"]) == 200

    revoked = await client.delete(f"/admin/keys/{key['id']}")
    again = await client.delete(f"/admin/keys/{key['id']}")
    rotated = await client.post(f"/admin/keys/{key['id']}/rotate")

    assert await status_with(client, key["key"]) == 401
    assert (revoked.json()["state"], again.status_code, rotated.status_code) == (
        "revoked",
        200,
        409,
    )


async def test_keys_of_the_configuration_are_listed_and_changed_there(
    client: httpx.AsyncClient,
) -> None:
    listed = (await client.get("/admin/keys")).json()["data"]
    described = await client.get("/admin/keys/config:off")

    assert [key["id"] for key in listed] == [f"config:{name}" for name in KEYS]
    assert described.json()["state"] == "revoked"
    assert described.json()["source"] == "configuration"
    for method, path in [("DELETE", ""), ("POST", "/rotate")]:
        refused = await client.request(method, f"/admin/keys/config:all{path}")
        assert refused.status_code == 409
        assert refused.json()["error"]["code"] == "key_in_configuration"


async def test_the_list_comes_in_pages(client: httpx.AsyncClient) -> None:
    ids = sorted([(await made(client))["id"] for _ in range(3)])

    first = (await client.get("/admin/keys", params={"limit": 2})).json()
    second = (await client.get("/admin/keys", params={"after": first["last_id"]})).json()

    # The clock of this application stands still, so their ids tell the order.
    assert [key["id"] for key in first["data"]][len(KEYS) :] == ids[:2]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert [key["id"] for key in second["data"]] == ids[2:]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "name", "missing_required_parameter"),
        ({"name": ""}, "name", None),
        ({"name": "x\n\x1b[2J"}, "name", "invalid_value"),
        ({"name": "x", "scopes": []}, "scopes", None),
        ({"name": "x", "scopes": ["root"]}, "scopes[0]", None),
        ({"name": "x", "owner": "a\nb"}, "owner", None),
        ({"name": "x", "owner": "$ne "}, "owner", None),
        ({"name": "x", "models": []}, "models", None),
        ({"name": "x", "expires_at": 1}, "expires_at", None),
        # Milliseconds: no date, so the key could not be listed.
        ({"name": "x", "expires_at": 1_795_357_756_000}, "expires_at", "integer_above_max_value"),
        ({"name": "x", "requests_per_minute": 0}, "requests_per_minute", None),
        ({"name": "x", "tokens_per_day": 10**13}, "tokens_per_day", "integer_above_max_value"),
        ({"name": "x", "priority_weight": 1001}, "priority_weight", "integer_above_max_value"),
        ({"name": "x", "colour": "red"}, "colour", "unknown_parameter"),
    ],
)
async def test_a_wrong_key_order_is_refused_by_name(
    client: httpx.AsyncClient, body: Json, param: str, code: str | None
) -> None:
    response = await client.post("/admin/keys", json=body)

    error = response.json()["error"]
    assert response.status_code == 400
    assert error["param"] == param
    assert code is None or error["code"] == code


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_unknown_key_is_not_found(client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, "/admin/keys/0123456789ab")

    assert response.status_code == 404
    assert (await client.post("/admin/keys/0123456789ab/rotate")).status_code == 404
    assert (await client.get("/admin/keys?after=0123456789ab")).status_code == 404


async def test_a_list_goes_on_after_a_key_of_the_settings(client: httpx.AsyncClient) -> None:
    static = [each["id"] for each in (await client.get("/admin/keys")).json()["data"]]
    made_id = (await made(client))["id"]

    after_all = (await client.get("/admin/keys", params={"after": static[-1]})).json()
    after_first = (await client.get("/admin/keys", params={"after": static[0]})).json()

    assert [each["id"] for each in after_all["data"]] == [made_id]
    assert [each["id"] for each in after_first["data"]] == [*static[1:], made_id]


async def test_answers_are_as_documented(both: tuple[Quart, httpx.AsyncClient]) -> None:
    app, client = both
    says = Description.of(app)
    key = await client.post("/admin/keys", json={"name": "x"})
    one = f"/admin/keys/{key.json()['id']}"
    answers = {
        ("post", "/admin/keys"): key,
        ("get", "/admin/keys"): await client.get("/admin/keys"),
        ("get", "/admin/keys/{key_id}"): await client.get(one),
        ("post", "/admin/keys/{key_id}"): await client.post(one, json={"tokens_per_day": 5}),
        ("post", "/admin/keys/{key_id}/rotate"): await client.post(f"{one}/rotate"),
        ("delete", "/admin/keys/{key_id}"): await client.delete(one),
    }

    for name, answer in answers.items():
        assert answer.status_code == 200
        assert says.faults_of_answer(says.operation(*name), answer) == []
