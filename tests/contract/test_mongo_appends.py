"""What a worker that was killed in the middle of an append leaves behind: nothing one can see."""

from collections.abc import AsyncIterator

import pytest

from frontend_api.adapters.mongo import MongoStore
from frontend_api.adapters.mongo_driver import (
    Collections,
    MongoAddress,
    close_client,
    collections_of,
    open_client,
)
from tests.contract.stores import ALICE, NOW, TIMEOUT_S, a_message, with_session
from tests.mongod import Mongod


@pytest.fixture
def address(mongod: Mongod) -> MongoAddress:
    return MongoAddress(
        uri=mongod.uri, database=mongod.emptied_database(), driver="pymongo", timeout_s=TIMEOUT_S
    )


@pytest.fixture
async def store(address: MongoAddress) -> AsyncIterator[MongoStore]:
    store = MongoStore(address)
    async with store.running():
        yield store


@pytest.fixture
async def db(address: MongoAddress) -> AsyncIterator[Collections]:
    client = open_client(address)
    yield collections_of(client, address.database)
    await close_client(client)


async def leave_half_an_append(db: Collections) -> None:
    """Copy the newest message under the session's next turn, as an append does first."""
    newest = await db.messages.find_one({}, sort=[("turn", -1)])
    session = await db.sessions.find_one({})
    assert newest is not None
    assert session is not None
    del newest["_id"]
    left = {"id": "msg_left", "turn": session["turn"], "fence": session["fence"]}
    await db.messages.insert_one({**newest, **left})


async def test_half_an_append_is_not_seen(store: MongoStore, db: Collections) -> None:
    await with_session(store, a_message("msg_1"))
    await leave_half_an_append(db)

    tree = await store.messages(ALICE, "conv_1")
    found = await store.search(ALICE, "Hello", NOW, limit=10)

    assert [message.id for message in tree] == ["msg_1"]
    assert [hit.message_id for hit in found] == ["msg_1"]


async def test_next_append_takes_the_place_of_half_an_append(
    store: MongoStore, db: Collections
) -> None:
    session = await with_session(store, a_message("msg_1"))
    await leave_half_an_append(db)

    after = await store.append([a_message("msg_2")], session.head_version, NOW)

    tree = await store.messages(ALICE, "conv_1")
    assert [message.id for message in tree] == ["msg_1", "msg_2"]
    assert (after.head, after.num_messages) == ("msg_2", 2)
    assert await store.message(ALICE, "msg_left") is None


async def test_half_an_append_stays_unseen_when_the_head_is_moved(
    store: MongoStore, db: Collections
) -> None:
    session = await with_session(store, a_message("msg_1"))
    await leave_half_an_append(db)

    await store.move_head(ALICE, "conv_1", None, session.head_version)

    tree = await store.messages(ALICE, "conv_1")
    assert [message.id for message in tree] == ["msg_1"]
