"""The Lines port between the workers of one server: files in a folder that only they share.

How it works: a line is a memory-mapped file under a lock; a lock that is taken is not waited for.
Every worker has the first number whose own file it can lock: the system unlocks it when the worker
dies, however it dies, and so the others see that. News is an empty datagram.
"""

from __future__ import annotations

import asyncio
import fcntl
import mmap
import os
import socket
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from io import FileIO
from pathlib import Path
from typing import Final

from frontend_api.domain.fair_line import FairLine
from frontend_api.domain.line_memory import NUM_BYTES, LineMemory

# A worker's number is one byte.
_MAX_WORKERS: Final = 256
_MAX_DATAGRAM_BYTES: Final = 16
# A line is held for some microseconds.
_PAUSE_S: Final = 0.001


@dataclass(slots=True)
class _Table:
    """One line; in the block it is locked, unless another worker has it: then it is None there."""

    file: FileIO
    mapped: mmap.mmap
    memory: LineMemory
    line: FairLine

    def __enter__(self) -> FairLine | None:
        try:
            fcntl.flock(self.file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        return self.line

    def __exit__(self, *_: object) -> None:
        # Nothing happens where it was not locked.
        fcntl.flock(self.file.fileno(), fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of it, and of its lock."""
        self.memory.release()
        self.mapped.close()
        self.file.close()


class SharedLines:
    """The lines of this host's workers; of several hosts, each has lines of its own."""

    def __init__(self, folder: Path) -> None:
        """Use this folder; nothing is opened before `opened`."""
        self._folder = folder
        self._worker: int | None = None
        self._tables: dict[str, _Table] = {}
        self._socket: socket.socket | None = None

    @property
    def worker(self) -> int:
        """See Lines."""
        if self._worker is None:
            raise RuntimeError("the lines are not open")
        return self._worker

    @asynccontextmanager
    async def opened(self, on_news: Callable[[], None]) -> AsyncGenerator[None, None]:
        """See Lines."""
        with ExitStack() as opened:
            opened.callback(self._close_tables)
            self._worker = self._number(opened)
            await self._forget(self._worker)
            own = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            path = self._address(self._worker)
            # Left by one who died with this number.
            path.unlink(missing_ok=True)
            own.setblocking(False)
            own.bind(str(path))
            opened.callback(path.unlink, missing_ok=True)
            loop = asyncio.get_running_loop()
            loop.add_reader(own, _hear, own, on_news)
            opened.callback(loop.remove_reader, own)
            self._socket = own
            yield

    def held(self, model: str) -> AbstractContextManager[FairLine | None]:
        """See Lines."""
        table = self._tables.get(model)
        if table is None:
            name = blake2b(model.encode(), digest_size=16).hexdigest()
            table = self._tables[model] = _open_table(self._folder / f"line-{name}.table")
        return table

    def tell(self, workers: Collection[int]) -> None:
        """See Lines; who does not hear it looks by itself a little later."""
        if self._socket is None:
            return
        for worker in workers:
            with suppress(OSError):
                self._socket.sendto(b"", str(self._address(worker)))

    def lost(self) -> Collection[int]:
        """See Lines."""
        workers = {int(path.stem.rpartition("-")[2]) for path in self._folder.glob("line-*.worker")}
        return [worker for worker in workers - {self._worker} if not self._is_alive(worker)]

    def _number(self, opened: ExitStack) -> int:
        for number in range(_MAX_WORKERS):
            file = self._alive_file(number)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
            else:
                opened.enter_context(file)
                return number
        raise RuntimeError(f"more than {_MAX_WORKERS} workers share {self._folder}")

    async def _forget(self, worker: int) -> None:
        """Take out of all lines what one who died with this number had in them."""
        for path in self._folder.glob("line-*.table"):
            table = _open_table(path)
            try:
                while not _is_forgotten(table, worker):  # noqa: ASYNC110 - another process has it
                    await asyncio.sleep(_PAUSE_S)
            finally:
                table.close()

    def _is_alive(self, worker: int) -> bool:
        with self._alive_file(worker) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _alive_file(self, worker: int) -> FileIO:
        return (self._folder / f"line-{worker}.worker").open("ab", buffering=0)

    def _address(self, worker: int) -> Path:
        return self._folder / f"line-{worker}.sock"

    def _close_tables(self) -> None:
        for table in self._tables.values():
            table.close()
        self._tables.clear()


def _is_forgotten(table: _Table, worker: int) -> bool:
    with table as line:
        if line is not None:
            line.forget(worker)
        return line is not None


def _open_table(path: Path) -> _Table:
    file = path.open("a+b", buffering=0)
    # Zeros are an empty line, so it does not matter who is first. With room on the disk: there
    # is no error to catch when a page of the map cannot be written.
    os.posix_fallocate(file.fileno(), 0, NUM_BYTES)
    mapped = mmap.mmap(file.fileno(), NUM_BYTES)
    memory = LineMemory(memoryview(mapped))
    return _Table(file, mapped, memory, FairLine(memory))


def _hear(own: socket.socket, on_news: Callable[[], None]) -> None:
    with suppress(BlockingIOError):
        while True:
            own.recv(_MAX_DATAGRAM_BYTES)
    on_news()
