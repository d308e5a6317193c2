"""Clients of a fleet: each asks again and again, and notes what came and what failed.

HTTP is read by hand: a full client would take more of the machine than what it measures.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import orjson

from scripts.launcher import ports

_LIMIT_S = 120.0
_CONNECT_LIMIT_S = 5.0
CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
_LAST = {CHAT: b"data: [DONE]", RESPONSES: b'data: {"type":"response.completed"'}


@dataclass
class Answer:
    """One request. error: "" when it was answered to its end; `event: ...` when an error event
    ended it, `cut` when the connection broke after the answer had begun."""

    began_at: float
    first_at: float = 0.0
    ended_at: float = 0.0
    num_tokens: int = 0
    cached_tokens: int = 0
    prompt_tokens: int = 0
    text: str = ""
    response_id: str = ""
    error: str = ""

    def tokens_within(self, begin: float, end: float) -> float:
        """Return its share of tokens in that time; they come at an even pace."""
        lasted = max(self.ended_at - self.first_at, 1e-6)
        shared = min(self.ended_at, end) - max(self.first_at, begin)
        return self.num_tokens * min(1.0, max(0.0, shared) / lasted)


@dataclass
class Traffic:
    """What some clients have seen."""

    answers: list[Answer] = field(default_factory=list)

    @property
    def failed(self) -> Sequence[Answer]:
        """Requests that were not answered to their end."""
        return [answer for answer in self.answers if answer.error]

    def tokens_per_s(self, begin: float, end: float) -> float:
        """Return the rate between two times of the monotonic clock."""
        return sum(answer.tokens_within(begin, end) for answer in self.answers) / (end - begin)


async def ask(port: int, path: str, body: dict[str, object]) -> Answer:
    """Ask for one stream and read it to its end; a failure is noted, not raised."""
    answer = Answer(time.monotonic())
    try:
        async with asyncio.timeout(_LIMIT_S):
            await _ask(port, path, body, answer)
    except TimeoutError:
        answer.error = "timeout"
    except OSError as exc:
        answer.error = "cut" if answer.first_at else f"connection: {exc}"
    answer.ended_at = answer.ended_at or time.monotonic()
    return answer


async def _ask(port: int, path: str, body: dict[str, object], answer: Answer) -> None:
    async with asyncio.timeout(_CONNECT_LIMIT_S):
        reader, writer = await asyncio.open_connection(ports.LOOPBACK, port)
    try:
        raw = orjson.dumps({**body, "stream": True})
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
        )
        writer.write(head.encode() + raw)
        status = await reader.readline()
        if b" 200 " not in status:
            answer.error = status.decode(errors="replace").strip() or "cut"
            return
        while (await reader.readline()).strip():
            pass  # the other headers
        await _read(reader, _LAST[path], answer)
    finally:
        writer.close()


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield the lines of a chunked body (RFC 9112, 7.1), until it ends or breaks."""
    rest = b""
    with contextlib.suppress(asyncio.IncompleteReadError, ValueError):
        while size := int(await reader.readline(), 16):
            *lines, rest = (rest + await reader.readexactly(size)).split(b"\n")
            await reader.readexactly(2)
            for line in lines:
                yield line


async def _read(reader: asyncio.StreamReader, last: bytes, answer: Answer) -> None:
    async for line in _lines(reader):
        if not line.startswith(b"data: "):
            continue
        if b'"error":{' in line[:40] or b'"response.failed"' in line[:60]:
            answer.error = f"event: {line[6:200].decode(errors='replace')}"
            return
        if line.startswith(last):
            answer.ended_at = time.monotonic()
            if last.startswith(b"data: {"):
                _take(line, answer)
            return
        if line.startswith(b"data: {"):
            _take(line, answer)
    answer.error = answer.error or "cut"


def _take(line: bytes, answer: Answer) -> None:
    event = orjson.loads(line[6:])
    piece = event.get("delta") or next(
        (choice["delta"].get("content") for choice in event.get("choices", ())), ""
    )
    if piece:
        answer.first_at = answer.first_at or time.monotonic()
        answer.text += piece
    response = event.get("response") or {}
    answer.response_id = response.get("id") or answer.response_id
    usage = event.get("usage") or response.get("usage")
    if usage:
        answer.num_tokens = usage.get("completion_tokens") or usage.get("output_tokens", 0)
        answer.prompt_tokens = usage.get("prompt_tokens") or usage.get("input_tokens", 0)
        details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
        answer.cached_tokens = details.get("cached_tokens", 0)


def chat(model: str, text: str, num_tokens: int) -> dict[str, object]:
    """Return a chat of one message, answered with exactly so many tokens."""
    return {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "max_tokens": num_tokens,
        "min_tokens": num_tokens,
        "ignore_eos": True,
        "stream_options": {"include_usage": True},
    }


@dataclass(frozen=True)
class Clients:
    """So many clients in a loop, each request with a beginning of its own.

    stored: every other one asks for responses, which MongoDB keeps.
    """

    port: int
    model: str
    num_tokens: int
    stored: bool = False

    async def run(self, count: int, seconds: float) -> Traffic:
        """Be `count` of them for so long; what then runs is read to its end."""
        is_over = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, is_over.set)
        return await self.run_until(is_over, count)

    async def run_until(self, is_over: asyncio.Event, count: int) -> Traffic:
        """Be `count` of them until then."""
        traffic = Traffic()
        await asyncio.gather(*(self._be(number, is_over, traffic) for number in range(count)))
        return traffic

    async def _be(self, number: int, is_over: asyncio.Event, traffic: Traffic) -> None:
        turn = 0
        while not is_over.is_set():
            turn += 1
            text = f"Client {number}, question {turn}."
            if self.stored and number % 2:
                answer = await ask(self.port, RESPONSES, {"model": self.model, "input": text})
            else:
                answer = await ask(self.port, CHAT, chat(self.model, text, self.num_tokens))
            traffic.answers.append(answer)
