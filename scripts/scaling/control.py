"""How another `scripts/fleet` asks a running one: a socket in its folder, one JSON line each way.

A request is `{"command": "status"}` or `{"command": "restart", "what": "tritons"}`; the answer is
`{"rows": [...]}`, `{"done": true}` or `{"error": "..."}`.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import cast

from scripts.launcher.errors import LaunchError
from scripts.launcher.plan import ROOT
from scripts.scaling.parts import Parts
from scripts.scaling.rolling import Rolling
from scripts.scaling.status import Row, rows_of

_NAME = "control.sock"
# A rolling restart waits for the longest answers of each part.
_LIMIT_S = 3600.0


class Control:
    """Answers on the socket while it listens."""

    def __init__(self, parts: Parts, rolling: Rolling, folder: Path) -> None:
        self._parts = parts
        self._rolling = rolling
        self._path = folder / _NAME

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Answer in the block; who asked and has no answer yet is cut off at its end."""
        answering: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._answer(reader, writer))
            answering.add(task)
            task.add_done_callback(answering.discard)

        server = await asyncio.start_unix_server(accept, str(self._path))
        try:
            yield
        finally:
            server.close()
            left = list(answering)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            try:
                said = await self._do(json.loads(await reader.readline()))
            except LaunchError as exc:
                said = {"error": str(exc)}
            writer.write(json.dumps(said).encode() + b"\n")
            await writer.drain()

    async def _do(self, asked: Mapping[str, str]) -> Mapping[str, object]:
        if asked["command"] == "status":
            return {"rows": [asdict(row) for row in await rows_of(self._parts)]}
        await self._rolling.restart(self._rolling.chosen(asked["what"]))
        return {"done": True}


async def status(port: int) -> list[Row]:
    """Return the rows of the fleet on that port. Raises LaunchError if there is none."""
    answer = await _ask(port, {"command": "status"})
    return [Row(**row) for row in cast(list[dict[str, object]], answer["rows"])]  # type: ignore[arg-type]


async def restart(port: int, what: str) -> None:
    """Restart parts of the fleet on that port. Raises LaunchError when that is not possible."""
    await _ask(port, {"command": "restart", "what": what})


async def _ask(port: int, asked: Mapping[str, str]) -> Mapping[str, object]:
    path = ROOT / ".run" / f"fleet-{port}" / _NAME
    try:
        async with asyncio.timeout(_LIMIT_S):
            reader, writer = await asyncio.open_unix_connection(str(path))
            with contextlib.closing(writer):
                writer.write(json.dumps(asked).encode() + b"\n")
                line = await reader.readline()
    except OSError as exc:
        raise LaunchError(f"No fleet runs on port {port}; name its --port.", exit_code=2) from exc
    if not line:
        raise LaunchError("The fleet has ended meanwhile.")
    answer: Mapping[str, object] = json.loads(line)
    if "error" in answer:
        raise LaunchError(str(answer["error"]))
    return answer
