"""Asks the API whether it can answer requests."""

import asyncio

POLL_PERIOD_S = 0.2
_TIMEOUT_S = 2.0
_OK = b"200"


async def wait_until_ready(host: str, port: int) -> None:
    """Return when GET /readiness answers 200; cancel it to stop waiting."""
    while not await is_ready(host, port):  # noqa: ASYNC110 (another process has no Event)
        await asyncio.sleep(POLL_PERIOD_S)


async def is_ready(host: str, port: int, path: str = "/readiness") -> bool:
    """Return whether GET of the path answers 200 within the time limit."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await _status(host, port, path) == _OK
    except (OSError, TimeoutError):
        return False


async def _status(host: str, port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()
        _, _, rest = (await reader.readline()).partition(b" ")  # HTTP/1.1 200 OK
        return rest[:3]
    finally:
        writer.close()
