"""What web pages may do: CORS, the names this server answers to without keys, security headers."""

from collections.abc import Mapping

import httpx
import pytest

from frontend_api.settings import Settings
from frontend_api.web.cors import EXPOSED, METHODS
from frontend_api.web.openapi import methods_of
from tests.web.fakes import FakeGenerator, words
from tests.web.keyed import KEYS, bearer, keyed_app, with_keys
from tests.web.running import ask, settings

FRIEND = "https://chat.example.com"
CHAT = "/v1/chat/completions"
FOREIGN = [
    "https://evil.example",
    "null",
    "http://chat.example.com",
    "https://chat.example.com:8443",
    "https://sub.chat.example.com",
    "https://chat.example.com.evil.example",
    "https://localhost",
    "http://localhost:1",
    "file://",
    "",
]


def with_friend(**sections: Mapping[str, object]) -> Settings:
    return with_keys(security={"allowed_origins": [FRIEND]}, **sections)


def preflight(origin: str, headers: str = "authorization") -> dict[str, str]:
    return {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": headers,
    }


def cors_of(response: httpx.Response) -> dict[str, str]:
    return {k: v for k, v in response.headers.items() if k.startswith("access-control-")}


async def test_a_preflight_needs_no_key_and_names_what_clients_send() -> None:
    asked = (
        "authorization, content-type, x-stainless-lang, openai-beta, x-evil, idempotency-key,"
        " traceparent, tracestate"
    )
    async with keyed_app(with_friend()) as (_, client):
        answer = await client.options(CHAT, headers=preflight(FRIEND, asked))

    assert answer.status_code == 204
    allowed = answer.headers["access-control-allow-headers"]
    assert allowed == asked.replace("x-evil, ", "")
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert answer.headers["vary"] == "origin"


async def test_preflights_allow_the_methods_that_there_are() -> None:
    async with keyed_app(with_friend()) as (app, _):
        rules = [rule for rule in app.url_map.iter_rules() if not rule.websocket]

    assert {method.upper() for rule in rules for method in methods_of(rule)} == {*METHODS}


@pytest.mark.parametrize("origin", FOREIGN)
async def test_no_other_page_is_told_that_it_may_ask_or_read(origin: str) -> None:
    async with keyed_app(with_friend()) as (_, client):
        asked = await client.options(CHAT, headers=preflight(origin))
        read = await client.get("/v1/models", headers={**bearer(KEYS["all"]), "origin": origin})

    assert asked.status_code == 403
    assert asked.json()["error"]["code"] == "origin_not_allowed"
    assert cors_of(asked) == cors_of(read) == {}
    assert read.headers["vary"] == "origin"


async def test_an_allowed_page_reads_errors_and_limits_too() -> None:
    generator = FakeGenerator(words("Hi"))
    async with keyed_app(with_friend(), generator) as (_, client):
        answers = [
            await client.get("/health", headers={"origin": FRIEND}),
            await client.get("/v1/models", headers={"origin": FRIEND}),
            await client.post(CHAT, headers={"origin": FRIEND, **bearer(KEYS["all"])}, content="{"),
            await client.post(
                CHAT, headers={"origin": FRIEND, **bearer(KEYS["all"])}, json=ask(stream=True)
            ),
            await client.get("/nothing", headers={"origin": FRIEND, **bearer(KEYS["all"])}),
        ]

    assert [answer.status_code for answer in answers] == [200, 401, 400, 200, 404]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == FRIEND
        assert answer.headers["access-control-expose-headers"] == ", ".join(EXPOSED)
        assert "access-control-allow-credentials" not in answer.headers


async def test_where_no_page_is_allowed_there_is_no_cors() -> None:
    async with keyed_app() as (_, client):
        asked = await client.options(CHAT, headers=preflight(FRIEND))
        read = await client.get("/health", headers={"origin": FRIEND})

    assert asked.status_code == 401
    assert cors_of(asked) == cors_of(read) == {}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", CHAT), ("GET", "/v1/conversations"), ("DELETE", "/v1/conversations/x")],
)
@pytest.mark.parametrize("origin", [*FOREIGN, "http://127.0.0.1"])
async def test_without_keys_a_foreign_page_may_do_nothing(
    method: str, path: str, origin: str
) -> None:
    async with keyed_app(settings(security={"allowed_origins": [FRIEND]})) as (_, client):
        answer = await client.request(method, path, headers={"origin": origin})

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "origin_not_allowed"


async def test_without_keys_pages_from_here_and_allowed_ones_may_ask() -> None:
    async with keyed_app(settings(security={"allowed_origins": [FRIEND]})) as (_, client):
        for origin in ("http://localhost", FRIEND):
            answer = await client.post(CHAT, headers={"origin": origin}, json=ask())

            assert answer.status_code == 200


@pytest.mark.parametrize(
    ("listens_on", "called", "is_answered"),
    [
        ("127.0.0.1", "localhost:8000", True),
        ("127.0.0.1", "LOCALHOST.", True),
        ("127.0.0.1", "127.0.0.1:8000", True),
        ("127.0.0.1", "[::1]:8000", True),
        ("127.0.0.1", "evil.example:8000", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "192.168.1.2", False),
        ("127.0.0.1", "proxy.example.com", True),
        ("127.0.0.1", "chat.example.com", True),
        ("127.0.0.1", "", False),
        ("0.0.0.0", "192.168.1.2:8000", True),
        ("0.0.0.0", "conch:8000", True),
        ("0.0.0.0", "evil.example:8000", False),
    ],
)
async def test_without_keys_the_server_answers_to_its_own_names(
    listens_on: str, called: str, is_answered: bool
) -> None:
    chosen = settings(
        server={"host": listens_on},
        security={
            "allow_unauthenticated": True,
            "allowed_hosts": ["proxy.example.com"],
            "allowed_origins": [FRIEND],
        },
    )
    # As a page would ask that has given this address a name of its own.
    asked = {"host": called, **({"origin": f"http://{called}"} if called else {})}
    async with keyed_app(chosen) as (_, client):
        answer = await client.post(CHAT, json=ask(), headers=asked)
        health = await client.get("/health", headers={"host": called})

    assert answer.status_code == (200 if is_answered else 403)
    assert is_answered or answer.json()["error"]["code"] in {
        "host_not_allowed",
        "origin_not_allowed",
    }
    assert health.status_code == 200


async def test_any_name_can_be_allowed_and_two_names_are_none() -> None:
    async with keyed_app(settings(security={"allowed_hosts": ["*"]})) as (_, client):
        named = await client.get("/v1/models", headers={"host": "what.ever.example"})
        twice = await client.get("/v1/models", headers=[("host", "localhost"), ("host", "a.b")])

    assert (named.status_code, twice.status_code) == (200, 403)


async def test_every_answer_says_what_browsers_may_do_with_it() -> None:
    async with keyed_app() as (_, client):
        answers = {
            path: await client.get(path, headers=bearer(KEYS["all"]))
            for path in ("/health", "/v1/models", "/nothing", "/metrics", "/docs", "/")
        }
        answers["refused"] = await client.get("/v1/models")

    for answer in answers.values():
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers
    assert answers["/v1/models"].headers["cache-control"] == "no-store"
    for path in ("/", "/docs"):
        policy = answers[path].headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "object-src 'none'" in policy
        assert "script-src" in policy or "default-src 'self'" in policy
