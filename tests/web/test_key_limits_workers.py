"""The limits of keys where several workers, or open connections, must heed them."""

import asyncio
import json
from collections import Counter
from contextlib import closing
from pathlib import Path

from frontend_api.domain.generation import Accepted
from tests.web.fake_triton import FakeTriton, accepted, delta
from tests.web.fakes import FakeGenerator, words
from tests.web.keyed import KEYS, TINY, bearer, with_keys
from tests.web.running import ask, served
from tests.web.test_guard_sockets import CREATE, OURS, socket
from tests.web.test_process import running

NUM_REQUESTS = 1000
LIMIT = 100
KEY = "static-key-of-limited-0123456789"


async def status_line(port: int) -> str:
    """Ask on a connection of its own: httpx would be busy with a thousand of them for minutes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        body = json.dumps(ask(max_tokens=5)).encode()
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
            f"authorization: Bearer {KEY}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        line = (await reader.readline()).decode()
        await reader.read()
        return line


async def test_four_workers_let_in_a_hundred_of_a_thousand_requests(tmp_path: Path) -> None:
    environ = {
        "CONCH_STORE__SQLITE_PATH": str(tmp_path / "conch.db"),
        "CONCH_STORE__OPERATION_TIMEOUT_S": "20",
        "CONCH_SECURITY__ENABLE_AUTH": "true",
        # A line for each request would fill the pipe to this process, which nobody reads.
        "CONCH_SERVER__LOG_LEVEL": "warning",
        "CONCH_SECURITY__API_KEYS": json.dumps(
            [{"key": KEY, "name": "limited", "rate_limit_per_minute": LIMIT}]
        ),
    }
    triton = FakeTriton([accepted(5), delta("Hi", reason="stop")])
    async with running(triton, "--workers", "4", **environ) as (_, client):
        port = client.base_url.port
        assert port is not None
        lines = await asyncio.gather(*(status_line(port) for _ in range(NUM_REQUESTS)))

    assert Counter(line.split()[1] for line in lines) == {
        "200": LIMIT,
        "429": NUM_REQUESTS - LIMIT,
    }


async def test_changed_limits_count_on_an_open_socket_and_do_not_close_it() -> None:
    admin = bearer(KEYS["admin"])
    generator = FakeGenerator([Accepted(5), *words("Hi")])
    async with served(generator, with_keys(), catalogue=TINY) as server:
        made = (await server.client.post("/admin/keys", json={"name": "x"}, headers=admin)).json()
        async with socket(server, OURS, bearer(made["key"])) as connection:

            async def last_event() -> str:
                await connection.send(CREATE)
                while True:
                    kind = json.loads(await connection.recv())["type"]
                    if kind in {"response.completed", "response.failed", "error"}:
                        return str(kind)

            free = [await last_event() for _ in range(2)]
            await server.client.post(
                f"/admin/keys/{made['id']}", json={"requests_per_minute": 1}, headers=admin
            )
            limited = [await last_event() for _ in range(3)]

    assert free == ["response.completed"] * 2
    assert limited == ["response.completed", "error", "error"]
