"""The connection to MongoDB: every use of it has a time-out, and an outage costs one.

How it works: a call that finds the database gone says so; from then on all calls are refused at
once, until a task that asks it again and again gets an answer. The same task finds out about an
outage that nobody has run into yet, and whether the database is frozen when a call was late. A
server that starts without its database waits for it in this state, and checks its layout then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

import pymongo
import structlog
from bson.errors import BSONError
from pymongo.errors import (
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
)

from frontend_api.adapters.mongo_driver import (
    Client,
    Collections,
    MongoAddress,
    close_client,
    collections_of,
    open_client,
)
from frontend_api.adapters.mongo_layout import bring_up_to_date
from frontend_api.adapters.store_timing import Observe, timed, unobserved
from frontend_api.domain.errors import BadRequest, Conflict, StoreLost
from frontend_api.domain.stored import StoreRefused

_log = structlog.get_logger()

_LOOK_EVERY_S: Final = 1.0
_LOOK_EVERY_S_WHEN_LOST: Final = 0.25
# Making the indexes of a large database takes longer than any call may.
_LAYOUT_TIMEOUT_S: Final = 60.0
_LOST: Final = "The database with the sessions does not answer."


class MongoLink:
    """The database while it is open, and whether it answers."""

    def __init__(self, address: MongoAddress, observe: Observe = unobserved) -> None:
        """Keep the address; `running` connects."""
        self._address = address
        self._observe = observe
        self._client: Client | None = None
        self._db: Collections | None = None
        self._is_lost = False
        self._is_laid_out = False
        self._is_closing = False
        self._refusal = ""
        self._doubt = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connect, bring the layout up to date, watch, and close after the block.

        Raises StoreRefused; a database that does not answer is waited for meanwhile.
        """
        self._client = open_client(self._address)
        try:
            self._db = collections_of(self._client, self._address.database)
            await self._look()
            watch = asyncio.create_task(self._watch())
            try:
                yield
            finally:
                self._is_closing = True
                watch.cancel()
                await asyncio.wait({watch})
        finally:
            self._db = None
            # Nothing is lost by leaving connections to the end of the process.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._address.timeout_s):
                    await close_client(self._client)

    @asynccontextmanager
    async def use(self, *, is_slow_expected: bool = False) -> AsyncIterator[Collections]:
        """Give the collections to a block that ends within the time-out.

        Raises StoreLost, Conflict for what is there already, BadRequest for what cannot be kept.
        is_slow_expected: when the time is over, that says nothing about the database.
        """
        if self._db is None or self._is_lost:
            raise StoreLost(_LOST, detail="not connected")
        with timed(self._observe), self._translated(is_slow_expected=is_slow_expected):
            async with asyncio.timeout(self._address.timeout_s):
                yield self._db

    async def answers(self) -> bool:
        """Return whether it answers now."""
        try:
            async with self.use() as db:
                await db.layout.database.command("ping")
        except StoreLost:
            return False
        return True

    @contextmanager
    def _translated(self, *, is_slow_expected: bool) -> Iterator[None]:
        try:
            yield
        except (TimeoutError, PyMongoError) as exc:
            if isinstance(exc, DuplicateKeyError):
                raise Conflict("It is there already.") from exc
            if isinstance(exc, DocumentTooLarge):
                raise BadRequest("It is larger than the database keeps: 16 MB.") from exc
            if _is_outage(exc) and not (is_slow_expected and _is_timeout(exc)):
                # A call may be late for reasons of our own: then the watch asks before it judges.
                if _is_gone(exc):
                    self._lose(type(exc).__name__)
                self._doubt.set()
            # Without its text, which may quote what people wrote.
            raise StoreLost(_LOST, detail=type(exc).__name__) from exc
        except OverflowError as exc:
            # A number that no database holds, so it is not the one that is there.
            raise Conflict("It is another number that is kept.") from exc
        except (UnicodeEncodeError, BSONError) as exc:
            raise BadRequest("An id holds characters that are no valid Unicode text.") from exc

    def _lose(self, reason: str) -> None:
        if not self._is_lost:
            servers = (
                self._client.topology_description.server_descriptions() if self._client else ()
            )
            asked = [f"{host}:{port}" for host, port in servers]
            _log.warning("mongodb_lost", reason=reason, servers=asked)
        self._is_lost = True

    async def _watch(self) -> None:
        # The driver may take a cancellation for a failure of its own, so that alone will not do.
        while not self._is_closing:
            pause_s = _LOOK_EVERY_S_WHEN_LOST if self._is_lost else _LOOK_EVERY_S
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._doubt.wait()
            self._doubt.clear()
            try:
                await self._look()
            except StoreRefused as exc:
                self._is_lost = True
                if self._refusal != str(exc):
                    _log.error("mongodb_refused", reason=str(exc))
                self._refusal = str(exc)
            except Exception:
                # Whoever watches must not go: nobody else would notice that the database is back.
                _log.exception("mongodb_watch_fault")

    async def _look(self) -> None:
        try:
            await self._ask()
        except (TimeoutError, PyMongoError) as exc:
            if not self._is_laid_out and not _is_outage(exc):
                raise StoreRefused(_sentence(exc)) from exc
            self._lose(type(exc).__name__)
            return
        if self._is_lost:
            _log.info("mongodb_back")
        self._is_lost = False

    async def _ask(self) -> None:
        if self._client is None or self._db is None:
            raise StoreLost(_LOST, detail="not open")
        async with asyncio.timeout(self._address.timeout_s):
            await self._client.admin.command("ping")
        if not self._is_laid_out:
            with pymongo.timeout(_LAYOUT_TIMEOUT_S):
                await bring_up_to_date(self._db)
            self._is_laid_out = True


def _is_timeout(error: Exception) -> bool:
    return isinstance(error, TimeoutError) or (isinstance(error, PyMongoError) and error.timeout)


def _is_gone(error: Exception) -> bool:
    return isinstance(error, ConnectionFailure) and not isinstance(error, NetworkTimeout)


def _is_outage(error: Exception) -> bool:
    return isinstance(error, ConnectionFailure) or _is_timeout(error)


def _sentence(error: Exception) -> str:
    details = error.details if isinstance(error, OperationFailure) else None
    reason = (details or {}).get("codeName", type(error).__name__)
    return f"MongoDB does not let us in, or not do what we need: {reason}."
