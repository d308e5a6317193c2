"""What the models' processes print, each under the name of its model.

Triton hands its own output on to them all, so its pipe does not tell whose a line is. The `llm`
backend therefore connects to a socket of ours, says its model's name in a first line of JSON, and
prints there from then on (triton_backend/llm/output.py). What a process wrote before it died is
in the socket and is read: nothing is lost with it.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from scripts.launcher.child import copy_to
from scripts.launcher.entries import EntryReader
from scripts.launcher.service_log import LogStream, ServiceLog

SOURCE: Final = "engine"
_HELLO_LIMIT_S: Final = 5.0


@contextlib.asynccontextmanager
async def engine_output(stream: LogStream, triton_log: ServiceLog) -> AsyncIterator[Path]:
    """Yield the socket's path while it is listened to.

    triton_log: its tail has these lines as well, for why Triton did not start may be among them.
    """
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_log(reader, writer, stream, triton_log))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    # The system's folder, not ours: a socket's path may have 107 characters.
    with TemporaryDirectory(prefix="conch-") as folder:
        path = Path(folder) / "output"
        server = await asyncio.start_unix_server(accept, path)
        try:
            yield path
        finally:
            server.close()
            await server.wait_closed()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _log(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    stream: LogStream,
    triton_log: ServiceLog,
) -> None:
    try:
        async with asyncio.timeout(_HELLO_LIMIT_S):
            hello = await reader.readline()
        model = str(json.loads(hello)["model"])
        log = ServiceLog(stream, SOURCE, EntryReader(model=model), tail_of=triton_log)
        await copy_to(log, reader)
    except (OSError, TimeoutError, ValueError, KeyError, TypeError):
        pass  # not one of ours, or gone before it said who it was
    finally:
        writer.close()
