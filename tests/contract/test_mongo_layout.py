"""The layout of a MongoDB database: made once, brought up to date, refused when it is not ours."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from frontend_api.adapters.mongo import MongoStore
from frontend_api.adapters.mongo_driver import (
    Client,
    Collections,
    Documents,
    MongoAddress,
    close_client,
    collections_of,
    open_client,
)
from frontend_api.adapters.mongo_layout import STEPS, bring_up_to_date
from frontend_api.domain.stored import IdempotencyClaim, StoreRefused
from tests.contract.stores import ALICE, NOW, TIMEOUT_S, a_session
from tests.mongod import Mongod

PATIENCE_S = 30.0


@pytest.fixture
def address(mongod: Mongod) -> MongoAddress:
    return MongoAddress(
        uri=mongod.uri, database=mongod.new_database(), driver="pymongo", timeout_s=TIMEOUT_S
    )


@pytest.fixture
async def client(address: MongoAddress) -> AsyncIterator[Client]:
    client = open_client(address)
    yield client
    await client.drop_database(address.database)
    await close_client(client)


@pytest.fixture
def db(client: Client, address: MongoAddress) -> Collections:
    return collections_of(client, address.database)


async def test_new_database_is_stamped_and_has_its_indexes(
    db: Collections, address: MongoAddress
) -> None:
    async with MongoStore(address).running():
        pass

    stamp = await db.layout.find_one({})
    sessions = await db.sessions.index_information()
    messages = await db.messages.index_information()
    assert stamp == {"_id": "conch", "version": len(STEPS)}
    assert sessions["owner_1_id_1"]["unique"]
    assert messages["owner_1_id_1"]["unique"]


async def test_workers_that_start_together_lay_out_one_database(
    db: Collections, address: MongoAddress
) -> None:
    stores = [MongoStore(address) for _ in range(4)]

    async def start(store: MongoStore) -> None:
        async with store.running():
            pass

    await asyncio.gather(*(start(store) for store in stores))

    assert await db.layout.count_documents({}) == 1


async def test_older_database_takes_the_steps_it_has_not_seen(db: Collections) -> None:
    taken: list[int] = []

    async def second(_: Collections) -> None:
        taken.append(2)

    await bring_up_to_date(db)
    await bring_up_to_date(db, [*STEPS, second])
    await bring_up_to_date(db, [*STEPS, second])

    assert taken == [2]
    assert await db.layout.find_one({}) == {"_id": "conch", "version": len(STEPS) + 1}


async def test_database_of_a_newer_version_is_refused(
    db: Collections, address: MongoAddress
) -> None:
    await bring_up_to_date(db)
    await db.layout.update_one({}, {"$set": {"version": len(STEPS) + 1}})

    with pytest.raises(StoreRefused, match="newer version"):
        async with MongoStore(address).running():
            pass


async def test_database_of_another_program_is_refused(
    db: Collections, address: MongoAddress
) -> None:
    await db.layout.database["orders"].insert_one({"total": 1})

    with pytest.raises(StoreRefused, match="another program"):
        async with MongoStore(address).running():
            pass

    assert await db.layout.database.list_collection_names() == ["orders"]


async def test_deleted_session_that_a_killed_worker_left_half_removed_is_gone_for_everybody(
    db: Collections, address: MongoAddress
) -> None:
    store = MongoStore(address)
    async with store.running():
        await store.create_session(a_session(), 0)
        await db.sessions.update_one({}, {"$set": {"is_going": True}})

        found = await store.session(ALICE, "conv_1", NOW)
        await store.create_session(a_session(title="new"), 0)
        created = await store.session(ALICE, "conv_1", NOW)

    assert found is None
    assert created is not None
    assert created.title == "new"


async def test_idempotency_record_goes_by_itself_when_it_is_over(
    mongod: Mongod, db: Collections, address: MongoAddress
) -> None:
    store = MongoStore(address)
    claim = IdempotencyClaim(
        owner=ALICE, key="key", fingerprint="print", claimed_at=NOW, expires_at=NOW + 1
    )
    async with store.running():
        await store.claim(claim)
        with mongod.expiring_by_itself():
            await until_empty(db.idempotency)


async def until_empty(documents: Documents) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if not await documents.count_documents({}):
                return
            await asyncio.sleep(0.1)
