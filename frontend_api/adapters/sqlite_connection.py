"""One connection to SQLite: one transaction at a time, each with a time-out.

How it works: whoever enters waits for the others, inside its own time-out. A block that fails or
runs out of time leaves its transaction to be rolled back by a task of the connection; the next
one waits for that task, so that a stuck disk costs every caller its time-out and no more.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final, Literal, Self

import aiosqlite

from frontend_api.adapters.store_timing import Observe, timed, unobserved
from frontend_api.domain.errors import BadRequest, Conflict, StoreLost

MEMORY: Final = ":memory:"
# SQLite gives up waiting for another process a little before we do, so that its thread is free.
_BUSY_SHARE: Final = 0.9
_LOST: Final = "The database with the sessions does not answer."

Preparation = Callable[[aiosqlite.Connection], Awaitable[None]]


@contextmanager
def translated() -> Iterator[None]:
    """Turn the failures of SQLite into ours."""
    try:
        yield
    except UnicodeEncodeError as exc:
        raise BadRequest("An id holds characters that are no valid Unicode text.") from exc
    except sqlite3.IntegrityError as exc:
        raise Conflict("It is there already.", detail=str(exc)) from exc
    except (sqlite3.Error, TimeoutError) as exc:
        raise StoreLost(_LOST, detail=str(exc) or "time-out") from exc


class SqliteConnection:
    """A connection; `transaction` is the only way to use it."""

    def __init__(self, db: aiosqlite.Connection, timeout_s: float, observe: Observe) -> None:
        """Take over an open connection; it is closed by `close`."""
        self._db = db
        self._observe = observe
        self._timeout_s = timeout_s
        self._lock = asyncio.Lock()
        self._mending: asyncio.Task[None] | None = None
        self._is_closed = False

    @classmethod
    async def open(
        cls,
        path: str,
        timeout_s: float,
        prepare: Preparation | None = None,
        *,
        observe: Observe = unobserved,
    ) -> Self:
        """Return a connection to this file, which is made when it is not there.

        prepare: what to do with it first.
        """
        # Its debug messages hold the parameters: what people wrote.
        logging.getLogger("aiosqlite").setLevel(logging.INFO)
        if path != MEMORY:
            _make_private(Path(path))
        db = await aiosqlite.connect(path, timeout=timeout_s * _BUSY_SHARE, isolation_level=None)
        try:
            db.row_factory = sqlite3.Row
            await db.execute("PRAGMA foreign_keys = ON")
            await db.execute("PRAGMA journal_mode = WAL")
            # Of WAL's modes the one that survives a loss of power.
            await db.execute("PRAGMA synchronous = FULL")
            if prepare is not None:
                await prepare(db)
        except BaseException:
            await db.close()
            raise
        return cls(db, timeout_s, observe)

    @asynccontextmanager
    async def transaction(
        self, kind: Literal["DEFERRED", "IMMEDIATE"]
    ) -> AsyncIterator[aiosqlite.Connection]:
        """Commit what the block does, or nothing of it when it raises.

        IMMEDIATE is for writing: no other process can write between its reads and its writes.
        """
        with timed(self._observe), translated():
            async with asyncio.timeout(self._timeout_s), self._lock:
                if self._mending is not None:
                    await asyncio.shield(self._mending)
                if self._is_closed:
                    raise StoreLost(_LOST, detail="closed")
                try:
                    await self._db.execute(f"BEGIN {kind}")
                    yield self._db
                    await self._db.execute("COMMIT")
                except BaseException:
                    self._mending = asyncio.create_task(self._mend())
                    raise

    async def _mend(self) -> None:
        # What fails here is told to the next one, whose BEGIN then fails.
        with suppress(sqlite3.Error):
            await self._db.interrupt()
            await self._db.rollback()
        self._mending = None

    async def close(self) -> None:
        """Close it once the transaction in it has ended, but wait no longer than the time-out."""
        closing = asyncio.create_task(self._close())
        await asyncio.wait({closing}, timeout=self._timeout_s)

    async def _close(self) -> None:
        async with self._lock:
            self._is_closed = True
            if self._mending is not None:
                await asyncio.shield(self._mending)
            await self._db.close()


def _make_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Conversations are nobody else's business; SQLite gives its other files the same mode.
    path.touch(mode=0o600, exist_ok=True)
    # What cannot be opened at all is found here: aiosqlite's thread would outlive its failure.
    sqlite3.connect(path).close()
