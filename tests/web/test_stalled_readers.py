"""Clients that stop reading, on a real server: they are let go, and the others served meanwhile."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import psutil

from tests.web.crowded import SLICE_S, p99s_s
from tests.web.fake_triton import FakeTriton, accepted, delta, response
from tests.web.running import ask
from tests.web.test_process import running
from tests.web.test_slow_clients import port_of

NUM_STALLED = 500
NUM_PIECES, PIECE_BYTES = 16, 16 * 1024
# Small segments make small buffers of the system, so that they are full soon.
SEGMENT_BYTES, WINDOW_BYTES = 536, 4096
LIMIT_S = 120
# All have stalled before the first is let go, also on a machine that does other things as well.
PATIENT = {"CONCH_SERVER__WRITE_TIMEOUT_S": "10", "CONCH_SERVER__HEAD_TIMEOUT_S": "60"}
UPGRADE = (
    b"GET %s HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)
SOCKETS: Sequence[tuple[bytes, Mapping[str, object]]] = (
    (b"/chat/ws", {"model-name": "demo", "prompt": "hi"}),
    (
        b"/v1/responses",
        {"type": "response.create", "model": "demo", "input": "hi", "store": False},
    ),
)


class Talker(FakeTriton):
    """Says so much to everybody, then nothing more until they leave."""

    def __init__(self) -> None:
        super().__init__()
        self.open: set[object] = set()
        self.talking: set[object] = set()

    async def _answer(self) -> AsyncIterator[Any]:
        one = object()
        self.open.add(one)
        self.talking.add(one)
        try:
            yield response(accepted(1))
            for _ in range(NUM_PIECES):
                yield response(delta("x" * PIECE_BYTES))
            self.talking.discard(one)
            await asyncio.Event().wait()
        finally:
            self.talking.discard(one)
            self.open.discard(one)


async def stalled(port: int, number: int, opened: ExitStack) -> None:
    """Ask for an answer, on one of three ways, and read nothing of it."""
    loop = asyncio.get_running_loop()
    one = opened.enter_context(socket.socket())
    one.setblocking(False)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
    await loop.sock_connect(one, ("127.0.0.1", port))
    if number % 2:
        await loop.sock_sendall(one, _request())
        return
    path, message = SOCKETS[number // 2 % len(SOCKETS)]
    await loop.sock_sendall(one, UPGRADE % path)
    assert (await loop.sock_recv(one, 1024)).startswith(b"HTTP/1.1 101 ")
    await loop.sock_sendall(one, _frame(json.dumps(message).encode()))


def _request() -> bytes:
    body = json.dumps(ask(stream=True)).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def _frame(text: bytes) -> bytes:
    """Return a text message of less than 126 bytes, masked with zeros (RFC 6455, section 5.2)."""
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text


async def test_500_clients_that_read_nothing_are_let_go_while_the_others_are_served() -> None:
    talker = Talker()
    async with (
        running(talker, **PATIENT) as (process, client),
        running(FakeTriton()) as (_, quiet),
    ):
        memory = psutil.Process(process.pid).memory_info
        before = memory().rss
        with ExitStack() as opened:
            port = port_of(client)
            await asyncio.gather(*(stalled(port, each, opened) for each in range(NUM_STALLED)))
            async with asyncio.timeout(LIMIT_S):
                while len(talker.requests) < NUM_STALLED or talker.talking:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            crowded_s, quiet_s = await p99s_s(client, quiet)
            num_stalled, grown = len(talker.open), memory().rss - before

            async with asyncio.timeout(LIMIT_S):
                while talker.open:  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.05)

    assert num_stalled > NUM_STALLED / 2
    assert crowded_s <= 2 * quiet_s + SLICE_S
    assert grown < 2 * NUM_STALLED * NUM_PIECES * PIECE_BYTES
