"""The Peers port between the workers of one server: a Unix socket for each, in a shared folder.

A question is one line of JSON, the answer another: the running request, or null. Nothing is
written until somebody asks, so requests themselves cost nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

import orjson
import structlog

from frontend_api.domain.running import Action, RunningRequest

Answer = Callable[[str, Action], RunningRequest | None]

_ANSWER_LIMIT_S: Final = 1.0
_MAX_LINE_BYTES: Final = 4096
_log = structlog.get_logger()


class NoPeers:
    """A server of one worker."""

    async def ask(self, request_id: str, action: Action) -> RunningRequest | None:
        """Find nothing."""
        return None

    @asynccontextmanager
    async def listening(self, answer: Answer) -> AsyncIterator[None]:
        """Nobody asks."""
        yield


class WorkerPeers:
    """The other workers; a dead one's socket refuses, and counts as "not here"."""

    def __init__(self, folder: Path) -> None:
        """Use the folder that only these workers share."""
        self._folder = folder
        self._own = folder / f"worker-{os.getpid()}.sock"

    async def ask(self, request_id: str, action: Action) -> RunningRequest | None:
        """Return the first answer that found it; None when no other worker has it."""
        question = orjson.dumps([request_id, action]) + b"\n"
        paths = [path for path in self._folder.glob("worker-*.sock") if path != self._own]
        answers = await asyncio.gather(*(_asked(path, question) for path in paths))
        return next((found for found in answers if found is not None), None)

    @asynccontextmanager
    async def listening(self, answer: Answer) -> AsyncIterator[None]:
        """Answer the others while the block runs."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                async with asyncio.timeout(_ANSWER_LIMIT_S):
                    request_id, action = orjson.loads(await reader.readline())
                    found = answer(request_id, action)
                    writer.write(orjson.dumps(None if found is None else asdict(found)) + b"\n")
                    await writer.drain()
            except (OSError, TimeoutError, ValueError):
                _log.warning("peer.question_failed")
            finally:
                writer.close()

        server = await asyncio.start_unix_server(serve, self._own, limit=_MAX_LINE_BYTES)
        try:
            async with server:
                yield
        finally:
            self._own.unlink(missing_ok=True)


async def _asked(path: Path, question: bytes) -> RunningRequest | None:
    try:
        async with asyncio.timeout(_ANSWER_LIMIT_S):
            reader, writer = await asyncio.open_unix_connection(path, limit=_MAX_LINE_BYTES)
            try:
                writer.write(question)
                answer = orjson.loads(await reader.readline())
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return None
    return None if answer is None else RunningRequest(**answer)
