"""Items that are removed while their answer ends: neither write may undo the other."""

from dataclasses import replace
from typing import Any, cast

from frontend_api.adapters import mongo_messages, mongo_runs
from frontend_api.adapters.mongo import MongoStore
from frontend_api.adapters.mongo_driver import (
    Collections,
    Documents,
    MongoAddress,
    close_client,
    collections_of,
    open_client,
)
from tests.contract.stores import (
    ALICE,
    NOW,
    TIMEOUT_S,
    a_checkpoint,
    an_answer,
    an_ending,
    with_session,
)
from tests.mongod import Mongod


class _EndingMeanwhile:
    """Messages whose answer ends between the two writes of a removal."""

    def __init__(self, db: Collections) -> None:
        self._db = db

    async def find_one_and_update(self, *given: Any, **options: Any) -> Any:
        marked = await self._db.messages.find_one_and_update(*given, **options)
        assert await mongo_runs.finish(self._db, a_checkpoint(0, "apples"), an_ending())
        return marked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db.messages, name)


async def test_an_answer_that_ends_while_an_item_is_removed_is_found(mongod: Mongod) -> None:
    address = MongoAddress(
        uri=mongod.uri, database=mongod.emptied_database(), driver="pymongo", timeout_s=TIMEOUT_S
    )
    store, client = MongoStore(address), open_client(address)
    async with store.running():
        await with_session(store, an_answer())
        db = collections_of(client, address.database)
        messages = cast(Documents, _EndingMeanwhile(db))

        await mongo_messages.remove_items(replace(db, messages=messages), ALICE, "resp_1", [7])
        found = await store.search(ALICE, "apples", NOW, limit=10)
        await close_client(client)

    assert [hit.message_id for hit in found] == ["resp_1"]
