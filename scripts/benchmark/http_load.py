"""Step 3: through the HTTP API, read by a client that does no more than split lines.

A full HTTP client would take more of the two cores than the server it measures.
"""

import asyncio
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import orjson

from scripts.benchmark.figures import StreamTimes
from scripts.benchmark.load import Load

RUN_LIMIT_S = 300.0
_CONNECT_LIMIT_S = 5.0


async def run_http(base_url: str, load: Load) -> Sequence[StreamTimes]:
    """Return the arrivals of every stream; raises RuntimeError with the server's own words."""
    async with asyncio.timeout(RUN_LIMIT_S):
        return await asyncio.gather(
            *(_stream(base_url, _body(load, prompt)) for prompt in load.prompts())
        )


async def _stream(base_url: str, body: bytes) -> StreamTimes:
    parts = urlsplit(base_url)
    async with asyncio.timeout(_CONNECT_LIMIT_S):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        times = StreamTimes(time.monotonic())
        head = (
            f"POST /v1/completions HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await _read(reader, times)
        return times
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader, times: StreamTimes) -> None:
    status = await reader.readline()
    if b" 200 " not in status:
        raise RuntimeError((await reader.read()).decode(errors="replace"))
    async for line in reader:
        if line.startswith(b'data: {"id"'):
            now = time.monotonic()
            if b'"text":""' not in line and b'"choices":[]' not in line:
                times.add(now, 0)
            elif b'"usage":{' in line:
                times.num_tokens = orjson.loads(line[6:])["usage"]["completion_tokens"]
        elif line.startswith(b'data: {"error"'):
            raise RuntimeError(line.decode(errors="replace"))


def _body(load: Load, prompt: str) -> bytes:
    return orjson.dumps(
        {
            "model": load.model,
            "prompt": prompt,
            "max_tokens": load.tokens,
            "min_tokens": load.tokens,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    )
