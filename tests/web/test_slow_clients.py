"""Clients that send slowly, or too much, on a real server: they are let go, the others served."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import trustme

from frontend_api.app import create_app
from frontend_api.http_protocol import MAX_HEAD_BYTES, MAX_HEADERS
from tests.web.crowded import SLICE_S, p99s_s
from tests.web.fake_triton import FakeTriton
from tests.web.fakes import FakeGenerator
from tests.web.running import serving, wired
from tests.web.test_process import ended, free_port, running, start

NUM_SLOW = 500
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
LATER = {
    "CONCH_SERVER__HEAD_TIMEOUT_S": "4",
    "CONCH_SERVER__BODY_TIMEOUT_S": "4",
}


def port_of(client: httpx.AsyncClient) -> int:
    return client.base_url.port or 0


async def answer_to(port: int, *sent: bytes) -> bytes:
    """Return everything that is answered until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in sent:
            writer.write(part)
            with suppress(ConnectionError):
                await writer.drain()
        with suppress(ConnectionError):
            return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
    return b""


async def drip(port: int, head: bytes, has_begun: asyncio.Semaphore) -> float:
    """Send a byte now and then until the server has had enough; how long that took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    writer.write(head)
    has_begun.release()
    reading = asyncio.create_task(reader.read())
    try:
        async with asyncio.timeout(20):
            while not reading.done():
                writer.write(b"x")
                await asyncio.wait([reading], timeout=1)
    finally:
        reading.cancel()
        await asyncio.wait([reading])
        writer.close()
    return time.monotonic() - began


async def test_500_slow_clients_are_let_go_while_the_others_are_served() -> None:
    body = HEAD + b"content-length: 1000\r\ncontent-type: application/json\r\n\r\n{"
    refused = b"POST /nothing HTTP/1.1\r\nhost: evil.example\r\ncontent-length: 1000\r\n\r\n"
    kinds = (HEAD + b"x-slow: ", b"GE", body, refused, b"")
    async with (
        running(FakeTriton(), **LATER) as (_, client),
        running(FakeTriton()) as (_, quiet),
    ):
        have_begun, is_over = asyncio.Semaphore(0), asyncio.Event()
        lasted_s: list[float] = []

        async def come_again(head: bytes) -> None:
            while not is_over.is_set():
                lasted_s.append(await drip(port_of(client), head, have_begun))
                # Some are let go at once: a crowd is meant, not a flood.
                with suppress(TimeoutError):
                    await asyncio.wait_for(is_over.wait(), 1)

        async with asyncio.TaskGroup() as slow:
            for number in range(NUM_SLOW):
                slow.create_task(come_again(kinds[number % len(kinds)]))
            for _ in range(NUM_SLOW):
                await have_begun.acquire()
            crowded_s, quiet_s = await p99s_s(client, quiet)
            is_over.set()

    assert crowded_s <= 2 * quiet_s + SLICE_S
    assert max(lasted_s) < 15


@pytest.mark.parametrize(
    "head",
    [
        [b"GET /", *[b"x" * 1024] * (MAX_HEAD_BYTES // 1024 + 1)],
        [HEAD, b"x-long: ", *[b"x" * 1024] * (MAX_HEAD_BYTES // 1024 + 1)],
        [HEAD, *[b"x-many: 1\r\n"] * (MAX_HEADERS + 1), b"\r\n"],
    ],
    ids=["address", "header", "headers"],
)
async def test_a_head_without_end_is_refused(head: Sequence[bytes]) -> None:
    async with serving(create_app(wired(FakeGenerator())), head_timeout_s=0.5) as server:
        answer = await answer_to(server.port, *head)
        after = await server.client.get("/health")

    # The rest of what is sent may reset the connection before the answer is read.
    assert answer.startswith(b"HTTP/1.1 431 ") or answer == b""
    assert after.status_code == 200


async def test_what_follows_a_body_has_an_end_too() -> None:
    body = b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx-trailer: "
    async with serving(create_app(wired(FakeGenerator())), head_timeout_s=60) as server:
        answer = await answer_to(server.port, HEAD + body, *[b"x" * 1024] * 2048)
        after = await server.client.get("/health")

    assert answer == b""
    assert after.status_code == 200


async def test_a_connection_that_says_nothing_is_told_so_and_closed() -> None:
    async with serving(create_app(wired(FakeGenerator())), head_timeout_s=0.5) as server:
        answer = await answer_to(server.port)

    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_request_in_two_halves_and_the_next_one_on_it_are_answered() -> None:
    whole = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
    last = b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    async with serving(create_app(wired(FakeGenerator())), head_timeout_s=0.5) as server:
        answer = await answer_to(server.port, whole[:20], whole[20:] + last)

    assert answer.count(b"HTTP/1.1 200 ") == 2


async def test_tls_is_spoken_with_the_certificate_of_the_settings(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    port = free_port()
    process = await start(
        *("--port", str(port)),
        CONCH_SERVER__TLS_CERTIFICATE=str(certificate),
        CONCH_SERVER__TLS_KEY=str(key),
    )
    try:
        async with httpx.AsyncClient(
            base_url=f"https://localhost:{port}", verify=trusting, trust_env=False
        ) as client:
            health = await until_answered(client)
    finally:
        process.terminate()
        await process.communicate()

    assert health.json()["status"] == "ok"


async def until_answered(client: httpx.AsyncClient) -> httpx.Response:
    async with asyncio.timeout(30):
        while True:
            with suppress(httpx.TransportError):
                return await client.get("/health")
            await asyncio.sleep(0.05)


async def test_a_certificate_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "key.pem"
    wrong.write_text("no key")

    code, errors = await ended(await start(CONCH_SERVER__TLS_CERTIFICATE=str(wrong)))

    assert code == 2
    assert errors.startswith("frontend_api: The settings server.tls_certificate and server.tls_key")
    assert errors.count("\n") == 1
