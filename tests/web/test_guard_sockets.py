"""The guard before WebSockets, on a real uvicorn: origins, and the ways a key may come."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from frontend_api.settings import Settings
from tests.web.fakes import FakeGenerator, words
from tests.web.keyed import KEYS, TINY, bearer, with_keys
from tests.web.running import Json, Served, served, settings

PATIENCE_S = 20
ORIGINAL, OURS = "/chat/ws", "/v1/responses"
PROMPT = json.dumps({"model-name": "demo", "prompt": "Hi"})
CREATE = json.dumps({"type": "response.create", "model": "demo", "input": "Hi", "store": False})
MESSAGES = {ORIGINAL: PROMPT, OURS: CREATE}
FRIEND = "https://chat.example.com"


@asynccontextmanager
async def listening(chosen: Settings | None = None) -> AsyncIterator[Served]:
    async with served(FakeGenerator(words("Hi")), chosen or with_keys(), catalogue=TINY) as running:
        yield running


@asynccontextmanager
async def socket(
    running: Served, path: str, headers: Mapping[str, str] | None = None, **given: object
) -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{running.port}{path}"
    async with (
        asyncio.timeout(PATIENCE_S),
        connect(url, proxy=None, additional_headers=headers, **given) as opened,  # type: ignore[arg-type]
    ):
        yield opened


async def refusal(running: Served, path: str, headers: Mapping[str, str]) -> tuple[int, Json]:
    """Return the status of a handshake that is refused, and the error."""
    with pytest.raises(InvalidStatus) as refused:
        async with socket(running, path, headers):
            pass
    response = refused.value.response
    return response.status_code, json.loads(response.body or b"{}")["error"]


async def first_answer(connection: ClientConnection, path: str) -> str:
    await connection.send(MESSAGES[path])
    return str(await connection.recv())


async def close_code_of(connection: ClientConnection) -> int | None:
    """Return the code that ends the connection, after whatever else it says."""
    with suppress(ConnectionClosed):
        async for _ in connection:
            pass
    return connection.close_code


def is_answered(answer: str, path: str) -> bool:
    return answer == "Hi" if path == ORIGINAL else '"response.created"' in answer


@pytest.mark.parametrize("path", [ORIGINAL, OURS])
@pytest.mark.parametrize(
    ("origin", "is_let_in"),
    [
        (None, True),
        ("http://{host}", True),
        (FRIEND, True),
        ("HTTPS://CHAT.example.com", True),
        ("https://{host}", False),
        ("http://127.0.0.1", False),
        ("http://127.0.0.1:1", False),
        ("http://sub.{host}", False),
        ("http://{host}.evil.example", False),
        ("http://chat.example.com", False),
        ("https://chat.example.com:8443", False),
        ("https://chat.example.com.evil.example", False),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
    ],
)
async def test_a_page_may_open_a_socket_from_here_or_where_it_is_allowed(
    path: str, origin: str | None, is_let_in: bool
) -> None:
    async with listening(settings(security={"allowed_origins": [FRIEND]})) as running:
        host = f"127.0.0.1:{running.port}"
        headers = {} if origin is None else {"origin": origin.format(host=host)}

        if is_let_in:
            async with socket(running, path, headers) as connection:
                assert is_answered(await first_answer(connection, path), path)
        else:
            status, error = await refusal(running, path, headers)
            assert (status, error["code"]) == (403, "origin_not_allowed")


@pytest.mark.parametrize("path", [ORIGINAL, OURS])
async def test_the_header_the_subprotocols_and_the_first_message_take_a_key(path: str) -> None:
    async with listening() as running:
        async with socket(running, path, bearer(KEYS["chat"])) as connection:
            assert is_answered(await first_answer(connection, path), path)

        for prefix in ("openai-insecure-api-key.", "conch-key."):
            offered = [f"{prefix}{KEYS['chat']}", "realtime"]
            async with socket(running, path, subprotocols=offered) as connection:
                assert connection.subprotocol == "realtime"
                assert is_answered(await first_answer(connection, path), path)

        async with socket(running, path) as connection:
            await connection.send(json.dumps({"type": "auth", "key": KEYS["chat"]}))
            assert is_answered(await first_answer(connection, path), path)


@pytest.mark.parametrize("path", [ORIGINAL, OURS])
async def test_a_wrong_key_is_refused_before_the_socket_opens(path: str) -> None:
    async with listening() as running:
        wrong = await refusal(running, path, bearer(f"{KEYS['chat']}x"))
        offered = {"sec-websocket-protocol": "conch-key.nobody-has-this-key"}
        of_protocol = await refusal(running, path, offered)
        other_scope = await refusal(running, path, bearer(KEYS["sessions"]))

    assert (wrong[0], wrong[1]["code"]) == (401, "invalid_api_key")
    assert (of_protocol[0], of_protocol[1]["code"]) == (401, "invalid_api_key")
    assert (other_scope[0], other_scope[1]["code"]) == (403, "missing_scope")


@pytest.mark.parametrize("path", [ORIGINAL, OURS])
@pytest.mark.parametrize(
    ("first", "words_"),
    [
        (PROMPT, "You didn't provide an API key."),
        (CREATE, "You didn't provide an API key."),
        ("no json", "You didn't provide an API key."),
        ('{"type": "auth"}', "You didn't provide an API key."),
        ('{"type": "auth", "key": "nobody-has-this-key"}', "Incorrect API key provided: nob***."),
        ('{"type": "auth", "key": ["x"]}', "You didn't provide an API key."),
    ],
)
async def test_a_socket_without_a_key_ends_after_its_first_message(
    path: str, first: str, words_: str
) -> None:
    async with listening() as running, socket(running, path) as connection:
        await connection.send(first)
        told = str(await connection.recv())

        assert await close_code_of(connection) == 1008

    assert words_ in told
    if path == ORIGINAL:
        assert told.startswith("__ERROR__:")
    else:
        assert json.loads(told)["status"] == 401


async def test_a_socket_that_says_nothing_is_ended() -> None:
    chosen = with_keys(server={"body_timeout_s": 0.1})
    async with listening(chosen) as running, socket(running, OURS) as connection:
        assert await close_code_of(connection) == 1008


async def test_a_key_in_the_address_is_not_looked_at() -> None:
    async with listening() as running:
        path = f"{OURS}?key={KEYS['chat']}&api_key={KEYS['chat']}&authorization={KEYS['chat']}"
        async with socket(running, path) as connection:
            await connection.send(CREATE)
            told = json.loads(await connection.recv())

    assert told["error"]["message"].startswith("You didn't provide an API key.")


@pytest.mark.parametrize("path", ["/v1/nothing", "/chat/ws/", "/v1/models", "/Chat/ws"])
async def test_other_addresses_open_no_socket(path: str) -> None:
    async with listening() as running:
        without = await refusal(running, path, {})
        with_key = await refusal(running, path, bearer(KEYS["all"]))

    assert without[0] == 401
    # 400: it is there, but is no socket.
    assert with_key[0] in (400, 404)


@pytest.mark.parametrize("path", [ORIGINAL, OURS])
async def test_a_model_that_is_not_the_key_s_is_not_there_on_sockets_either(path: str) -> None:
    async with listening() as running, socket(running, path, bearer(KEYS["small"])) as connection:
        assert "does not exist or you do not have access" in await first_answer(connection, path)


async def test_an_open_socket_takes_no_message_once_its_key_is_revoked() -> None:
    generator, admin = FakeGenerator(words("Hi")), bearer(KEYS["admin"])
    async with served(generator, with_keys(), catalogue=TINY) as running:
        made = await running.client.post("/admin/keys", json={"name": "x"}, headers=admin)
        async with socket(running, OURS, bearer(made.json()["key"])) as connection:
            assert is_answered(await first_answer(connection, OURS), OURS)
            await running.client.delete(f"/admin/keys/{made.json()['id']}", headers=admin)
            await connection.send(CREATE)

            assert await close_code_of(connection) == 1008

    assert len(generator.requests) == 1


@pytest.mark.parametrize("path", [ORIGINAL, OURS])
async def test_a_socket_that_floods_is_ended(path: str) -> None:
    chosen = with_keys(limits={"websocket_messages_per_minute": 5})
    async with listening(chosen) as running:
        async with socket(running, path, bearer(KEYS["chat"])) as connection:
            with suppress(ConnectionClosed):
                for _ in range(20):
                    await connection.send("{}")
            code = await close_code_of(connection)
        after = await running.client.get("/health")

    assert code == 1008
    assert after.status_code == 200
