"""What the measuring clients make of what they hear."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from scripts.scaling.traffic import CHAT, Answer, ask, chat

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
DELTA = b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"completion_tokens":3,"prompt_tokens":9}}\n\n'
ERROR = b'data: {"error":{"message":"gone"}}\n\n'
DONE = b"data: [DONE]\n\n"


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


@asynccontextmanager
async def answering(raw: bytes) -> AsyncIterator[int]:
    """Yield the port of a server that says this to whoever asks, and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


@pytest.mark.parametrize("size", [7, 64, 4096])
async def test_a_whole_stream_is_read_however_it_is_cut_into_chunks(size: int) -> None:
    async with answering(HEAD + chunked(DELTA + USAGE + DONE, size) + b"0\r\n\r\n") as port:
        answer = await ask(port, CHAT, chat("m", "hi", 3))

    assert (answer.error, answer.text) == ("", "Hi")
    assert (answer.num_tokens, answer.prompt_tokens) == (3, 9)


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (HEAD + chunked(DELTA + ERROR, 4096), "event: "),
        (HEAD + chunked(DELTA, 4096), "cut"),
        (HEAD + chunked(DELTA + DONE, 4096)[:-25], "cut"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "HTTP/1.1 502 Bad Gateway"),
        (b"", "cut"),
    ],
)
async def test_what_is_not_whole_has_failed(raw: bytes, error: str) -> None:
    async with answering(raw) as port:
        answer = await ask(port, CHAT, chat("m", "hi", 3))

    assert answer.error.startswith(error)


def test_tokens_count_for_the_share_of_time_in_which_they_came() -> None:
    answer = Answer(began_at=0, first_at=10, ended_at=20, num_tokens=100)

    assert answer.tokens_within(0, 100) == 100
    assert answer.tokens_within(15, 100) == 50
    assert answer.tokens_within(0, 5) == 0
