"""The guard before every HTTP route: who is let in, and what the others are told."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from quart import Quart

from frontend_api.domain.keys import SCOPES, written
from frontend_api.web.access import TABLE, access_to
from frontend_api.web.openapi import methods_of
from tests.web.fakes import HANG, FakeGenerator, words
from tests.web.keyed import KEYS, bearer, keyed_app, with_keys
from tests.web.running import Json, ask, settings

NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header"
    " using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
)
WEB_CHAT = {"/", "/c/<conversation_id>", "/usage", "/assets/<path:name>"}
PUBLIC = {"/health", "/readiness", "/openapi.json", "/docs", "/docs/<name>", *WEB_CHAT}
Request = tuple[str, str]


@pytest.fixture
async def both() -> AsyncIterator[tuple[Quart, httpx.AsyncClient]]:
    async with keyed_app() as found:
        yield found


@pytest.fixture
def app(both: tuple[Quart, httpx.AsyncClient]) -> Quart:
    return both[0]


@pytest.fixture
def client(both: tuple[Quart, httpx.AsyncClient]) -> httpx.AsyncClient:
    return both[1]


def requests_of(app: Quart, wanted: str) -> list[Request]:
    """Return method and address of every HTTP route with that access."""
    return [
        (method, re.sub(r"<[^<>]+>", "x", rule.rule))
        for rule in app.url_map.iter_rules()
        if not rule.websocket and access_to(rule.endpoint) == wanted
        for method in methods_of(rule)
    ]


def error_of(response: httpx.Response) -> Json:
    error: Json = response.json()["error"]
    return error


def test_every_route_is_in_the_table_and_the_public_ones_are_these(app: Quart) -> None:
    rules = list(app.url_map.iter_rules())

    forgotten = [r.rule for r in rules if not {r.endpoint, r.endpoint.split(".")[0]} & {*TABLE}]
    public = {rule.rule for rule in rules if access_to(rule.endpoint) == "public"}
    used = {access_to(rule.endpoint) for rule in rules}

    assert forgotten == []
    assert public == PUBLIC
    assert used == {*SCOPES, "public"}


async def test_without_a_key_only_what_is_public_is_answered(
    app: Quart, client: httpx.AsyncClient
) -> None:
    asked = [request for scope in SCOPES for request in requests_of(app, scope)]
    answers = {each: await client.request(*each) for each in asked}

    assert {
        each: answer.status_code for each, answer in answers.items() if answer.status_code != 401
    } == {}
    assert {error_of(answer)["message"] for answer in answers.values()} == {NO_KEY}
    assert {answer.headers["www-authenticate"] for answer in answers.values()} == {"Bearer"}
    for path in ("/health", "/readiness", "/openapi.json", "/docs"):
        assert (await client.get(path)).status_code == 200


async def test_every_scope_opens_its_routes_and_no_other(
    app: Quart, client: httpx.AsyncClient
) -> None:
    for scope in SCOPES:
        for needed in SCOPES:
            for request in requests_of(app, needed):
                answer = await client.request(*request, headers=bearer(KEYS[scope]))
                is_refused = answer.status_code == 403

                assert is_refused == (scope != needed), (scope, request, answer.status_code)
                if is_refused:
                    assert error_of(answer)["code"] == "missing_scope"
                    assert error_of(answer)["message"].endswith(f"Missing scopes: {needed}.")


@pytest.mark.parametrize(
    "path",
    [
        "/V1/MODELS",
        "/v1/models/",
        "//v1/models",
        "/v1//models",
        "/v1/%6dodels",
        "/v1/models?api_key=static-key-of-all-0123456789",
        "/health/../v1/models",
        "/health/",
        "/docs/../v1/models",
        "/nothing",
    ],
)
async def test_no_other_way_of_writing_an_address_goes_past_the_guard(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)

    assert answer.status_code == 401
    assert error_of(answer)["message"] == NO_KEY


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "127.0.0.1"},
        {"x-api-key": KEYS["all"]},
        {"cookie": f"authorization=Bearer {KEYS['all']}"},
        {"authorization": f"Basic {KEYS['all']}"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer  "},
        {"x-original-url": "/health", "x-rewrite-url": "/health"},
        {"x-http-method-override": "OPTIONS"},
    ],
)
async def test_forged_headers_are_no_key(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await client.get("/v1/models", headers=headers)

    assert answer.status_code == 401
    assert error_of(answer)["message"] == NO_KEY


async def test_two_keys_are_none(client: httpx.AsyncClient) -> None:
    both = [("authorization", f"Bearer {KEYS[name]}") for name in ("all", "other")]

    answer = await client.get("/v1/models", headers=both)

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (KEYS["off"], "sta***"),
        (f"{KEYS['all']}x", "sta***"),
        ("x", "***"),
        (written("0123456789ab", "a1" * 32), "ck_0123456789ab_***"),
        ("*", "***"),
    ],
)
async def test_a_wrong_key_is_told_masked(client: httpx.AsyncClient, key: str, shown: str) -> None:
    answer = await client.get("/v1/models", headers=bearer(key))

    assert answer.status_code == 401
    assert error_of(answer) == {
        "message": f"Incorrect API key provided: {shown}.",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_api_key",
    }


async def test_the_scheme_is_read_in_any_case(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/models", headers={"authorization": f"bEARER {KEYS['all']}"})

    assert answer.status_code == 200


async def test_what_does_not_exist_is_told_to_who_has_a_key(client: httpx.AsyncClient) -> None:
    nothing = await client.get("/nothing", headers=bearer(KEYS["chat"]))
    method = await client.put("/v1/models", headers=bearer(KEYS["chat"]))

    assert (nothing.status_code, method.status_code) == (404, 405)


async def test_the_body_of_a_stranger_is_not_waited_for(client: httpx.AsyncClient) -> None:
    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    answer = await client.post("/v1/chat/completions", content=never())

    assert answer.status_code == 401


async def test_a_key_sees_the_sessions_of_its_owner_only(client: httpx.AsyncClient) -> None:
    mine, others = bearer(KEYS["all"]), bearer(KEYS["other"])
    made = (await client.post("/v1/conversations", json={}, headers=mine)).json()["id"]

    assert (await client.get(f"/v1/conversations/{made}", headers=mine)).status_code == 200
    for method, path in [("GET", ""), ("DELETE", ""), ("GET", "/items"), ("GET", "/export")]:
        answer = await client.request(method, f"/v1/conversations/{made}{path}", headers=others)
        assert answer.status_code == 404
    listed = (await client.get("/v1/conversations", headers=others)).json()
    assert listed["data"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", ask()),
        ("/v1/completions", {"model": "demo", "prompt": "x"}),
        ("/v1/responses", {"model": "demo", "input": "x"}),
        ("/v1/responses", {"model": "demo", "input": "x", "store": False}),
        ("/tokenize", {"model": "demo", "prompt": "x"}),
        ("/detokenize", {"model": "demo", "tokens": [1]}),
        ("/completions", {"model": "demo", "prompt": "x"}),
    ],
)
async def test_a_model_that_is_not_the_key_s_is_as_if_it_were_not_there(
    client: httpx.AsyncClient, path: str, body: Json
) -> None:
    small = bearer(KEYS["small"])

    refused = await client.post(path, json=body, headers=small)
    unknown = await client.post(path, json={**body, "model": "demo2"}, headers=small)
    allowed = await client.post(path, json={**body, "model": "tiny"}, headers=small)

    assert refused.status_code == unknown.status_code == 404
    assert error_of(refused)["code"] == "model_not_found"
    assert refused.text == unknown.text.replace("demo2", "demo")
    assert allowed.status_code == 200


async def test_other_models_are_not_listed(client: httpx.AsyncClient) -> None:
    small = bearer(KEYS["small"])
    listed = (await client.get("/v1/models", headers=small)).json()["data"]
    original = (await client.get("/models", headers=small)).json()["models"]

    assert [model["id"] for model in listed] == original == ["tiny"]
    assert (await client.get("/v1/models/demo", headers=small)).status_code == 404
    assert (await client.get("/models/demo", headers=small)).status_code == 404


async def test_a_running_request_can_be_stopped_by_its_owner_only() -> None:
    generator = FakeGenerator([*words("a", "b")[:1], HANG])
    async with keyed_app(generator=generator) as (app, client):
        mine = {**bearer(KEYS["all"]), "x-request-id": "mine"}
        stream = app.test_client().post("/v1/chat/completions", json=ask(stream=True), headers=mine)
        running = asyncio.create_task(_drained(stream))
        await generator.opened.wait()
        url = "/v1/requests/mine"

        seen = await client.get(url, headers=bearer(KEYS["other"]))
        stopped = await client.delete(url, headers=bearer(KEYS["other"]))
        found = await client.delete(url, headers=mine)
        await asyncio.wait_for(running, 5)

    assert (seen.status_code, stopped.status_code) == (404, 404)
    assert found.json()["id"] == "mine"
    assert found.json()["state"] == "cancelled"


async def _drained(stream: object) -> None:
    await stream  # type: ignore[misc]


@pytest.mark.parametrize(
    ("host", "asked", "status"),
    [
        ("127.0.0.1", {"host": "localhost:8000"}, 200),
        ("::1", {"host": "[::1]:8000"}, 200),
        ("0.0.0.0", {"host": "localhost"}, 403),
        ("0.0.0.0", {"host": "192.168.1.2:8000"}, 403),
    ],
)
async def test_without_keys_only_this_machine_may_make_some(
    host: str, asked: dict[str, str], status: int
) -> None:
    chosen = settings(server={"host": host}, security={"allow_unauthenticated": True})
    async with keyed_app(chosen) as (_, client):
        made = await client.post("/admin/keys", json={"name": "x"}, headers=asked)
        chat = await client.post("/v1/chat/completions", json=ask(), headers=asked)

    assert made.status_code == status
    assert chat.status_code == 200


async def test_without_keys_a_page_that_is_allowed_may_chat_but_make_no_keys() -> None:
    friend = "https://chat.example.com"
    asked = {"host": "localhost:8000", "origin": friend}
    async with keyed_app(settings(security={"allowed_origins": [friend]})) as (_, client):
        made = await client.post("/admin/keys", json={"name": "x"}, headers=asked)
        chat = await client.post("/v1/chat/completions", json=ask(), headers=asked)

    assert (made.status_code, made.json()["error"]["code"]) == (403, "missing_scope")
    assert chat.status_code == 200


async def test_metrics_are_open_while_there_are_no_keys() -> None:
    async with keyed_app(settings()) as (_, client):
        assert (await client.get("/metrics")).status_code == 200


async def test_with_keys_a_foreign_page_s_program_is_let_in_by_its_key() -> None:
    chosen = with_keys(security={"allowed_origins": ["https://chat.example.com"]})
    async with keyed_app(chosen) as (_, client):
        foreign = {**bearer(KEYS["all"]), "origin": "https://evil.example"}

        assert (await client.get("/v1/models", headers=foreign)).status_code == 200
