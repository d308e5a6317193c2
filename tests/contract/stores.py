"""The stores that keep one contract, each as a way to open it, and what the tests put into them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from frontend_api.adapters.mongo import MongoStore
from frontend_api.adapters.mongo_driver import Driver, MongoAddress
from frontend_api.adapters.sqlite import SqliteStore
from frontend_api.domain.answer_pieces import Content, Piece
from frontend_api.domain.messages import Ending, Message, Run, Said
from frontend_api.domain.sessions import Session
from frontend_api.domain.stored import Checkpoint
from frontend_api.ports import Store
from tests.mongod import Mongod

KINDS = ("sqlite", "motor", "pymongo")

# Opens the same database once more, as another worker does.
Opener = Callable[[], AbstractAsyncContextManager[Store]]

ALICE = "alice"
MALLORY = "mallory"
NOW = 1_700_000_000.0
LEASE_UNTIL = NOW + 20
WORKER = "worker-1"
# Generous: the machine that runs the tests may be busy with something else.
TIMEOUT_S = 60.0


def sqlite_opener(folder: Path) -> Opener:
    """Return how to open the SQLite store in this folder."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Store]:
        store = SqliteStore(str(folder / "conch.db"), timeout_s=TIMEOUT_S)
        async with store.running():
            yield store

    return opened


def mongo_opener(mongod: Mongod, driver: Driver) -> Opener:
    """Return how to open a new database of this server with that driver."""
    address = MongoAddress(
        uri=mongod.uri, database=mongod.emptied_database(), driver=driver, timeout_s=TIMEOUT_S
    )

    @asynccontextmanager
    async def opened() -> AsyncIterator[Store]:
        store = MongoStore(address)
        async with store.running():
            yield store

    return opened


def a_session(session_id: str = "conv_1", **given: object) -> Session:
    """Return a session of Alice."""
    session = Session(id=session_id, owner=ALICE, created_at=NOW, updated_at=NOW)
    return replace(session, **given)  # type: ignore[arg-type]


def a_message(message_id: str, text: str = "Hello", **given: object) -> Message:
    """Return what Alice said at the root of session conv_1."""
    message = Message(
        id=message_id,
        session_id="conv_1",
        owner=ALICE,
        parent_id=None,
        created_at=NOW,
        said=(Said("user", text),),
    )
    return replace(message, **given)  # type: ignore[arg-type]


def an_answer(message_id: str = "resp_1", **given: object) -> Message:
    """Return a placeholder in session conv_1 for what a model is about to say."""
    run = Run(model="demo", status="in_progress", worker=WORKER, lease_until=LEASE_UNTIL)
    return a_message(message_id, said=(), run=replace(run, **given))  # type: ignore[arg-type]


def a_checkpoint(first: int, *pieces: Piece | str, **given: object) -> Checkpoint:
    """Return a checkpoint of resp_1; text stands for content."""
    checkpoint = Checkpoint(
        owner=ALICE,
        message_id="resp_1",
        worker=WORKER,
        first=first,
        pieces=tuple(Content(piece) if isinstance(piece, str) else piece for piece in pieces),
        lease_until=LEASE_UNTIL,
    )
    return replace(checkpoint, **given)  # type: ignore[arg-type]


def an_ending(**given: object) -> Ending:
    """Return the ending of a run that said everything."""
    return replace(Ending(status="completed", completed_at=NOW + 5), **given)  # type: ignore[arg-type]


async def with_session(store: Store, *messages: Message) -> Session:
    """Put session conv_1 with these messages into the store."""
    session = a_session()
    await store.create_session(session, 0)
    if not messages:
        return session
    return await store.append(messages, 0, NOW)
