"""What MongoDB's own failures cost: nothing that was acknowledged, and a time-out, once."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from frontend_api.adapters.mongo import MongoStore
from frontend_api.adapters.mongo_driver import Driver, MongoAddress
from frontend_api.adapters.mongo_layout import STEPS
from frontend_api.adapters.mongo_link import MongoLink
from frontend_api.domain.errors import ServiceError, StoreLost
from frontend_api.domain.messages import Message, new_message_id
from frontend_api.domain.stored import StoreRefused
from tests.contract.stores import (
    ALICE,
    NOW,
    a_checkpoint,
    a_message,
    a_session,
    an_answer,
    an_ending,
    with_session,
)
from tests.mongod import Mongod, running_mongod

# A call's time-out in these tests; the machine may be busy with something else.
TIMEOUT_S = 2.0
PATIENCE_S = 30.0
# A driver that is cut off in the middle of connecting leaves its socket to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
drivers = pytest.mark.parametrize("driver", ["motor", "pymongo"])


@pytest.fixture(scope="module")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    """A server on the disk that may be killed and frozen; leave it running."""
    with running_mongod(tmp_path_factory.mktemp("mongod")) as mongod:
        yield mongod


@asynccontextmanager
async def opened(mongod: Mongod, driver: Driver, database: str = "") -> AsyncIterator[MongoStore]:
    """Yield a store in a database of its own."""
    name = database or mongod.new_database()
    uri = mongod.uri
    store = MongoStore(MongoAddress(uri=uri, database=name, driver=driver, timeout_s=TIMEOUT_S))
    async with store.running():
        yield store
    gc.collect()


async def until_it_answers(store: MongoStore) -> None:
    """Return when the store has noticed that its database is back."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await store.ping():
                return
            await asyncio.sleep(0.02)


class Writer:
    """Goes on with one session, turn after turn, whatever happens; remembers what was stored."""

    def __init__(self, store: MongoStore, session_id: str) -> None:
        self._store = store
        self._id = session_id
        self.acknowledged: list[str] = []
        self.is_told_to_stop = False

    async def run(self) -> None:
        """Write until told to stop."""
        await self._store.create_session(a_session(self._id), 0)
        while not self.is_told_to_stop:
            try:
                await self._turn()
            except ServiceError:
                await asyncio.sleep(0.01)

    async def _turn(self) -> None:
        session = await self._store.session(ALICE, self._id, NOW)
        assert session is not None
        question = self._message(session.head)
        answer = self._message(question.id)
        await self._store.append([question, answer], session.head_version, NOW)
        self.acknowledged += [question.id, answer.id]

    def _message(self, parent_id: str | None) -> Message:
        return a_message(new_message_id(), session_id=self._id, parent_id=parent_id)


@drivers
async def test_killed_server_costs_no_acknowledged_message_and_doubles_none(
    breakable: Mongod, driver: Driver
) -> None:
    async with opened(breakable, driver) as store:
        writers = [Writer(store, f"conv_{number}") for number in range(8)]
        tasks = [asyncio.create_task(writer.run()) for writer in writers]
        for num_messages in (20, 60):
            await until_acknowledged(num_messages, writers)
            await asyncio.to_thread(breakable.kill)
            await asyncio.to_thread(breakable.start)
        await until_it_answers(store)
        for writer in writers:
            writer.is_told_to_stop = True
        await asyncio.gather(*tasks)

        for number, writer in enumerate(writers):
            stored = await store.messages(ALICE, f"conv_{number}")
            ids = [message.id for message in stored]
            session = await store.session(ALICE, f"conv_{number}", NOW)

            assert set(writer.acknowledged) <= set(ids)
            assert len(ids) == len(set(ids))
            # One chain: no turn was stored twice, none is left of an append that did not happen.
            assert [message.parent_id for message in stored] == [None, *ids[:-1]]
            assert session is not None
            assert (session.head, session.num_messages) == (ids[-1], len(ids))


async def until_acknowledged(num: int, writers: Sequence[Writer]) -> None:
    """Return when every writer has so many acknowledged messages."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if all(len(writer.acknowledged) >= num for writer in writers):
                return
            await asyncio.sleep(0.02)


@drivers
async def test_frozen_server_costs_time_outs_until_it_is_found_out_and_then_nothing(
    breakable: Mongod, driver: Driver
) -> None:
    async with opened(breakable, driver) as store:
        await with_session(store, a_message("msg_1"), an_answer())
        breakable.freeze()
        try:
            first_s = await seconds_to_be_lost(lambda: store.session(ALICE, "conv_1", NOW))
            # A late call alone proves nothing: the watch asks the server, for as long as a call.
            await asyncio.sleep(TIMEOUT_S + 0.5)
            later_s = [
                await seconds_to_be_lost(call)
                for call in (
                    lambda: store.session(ALICE, "conv_1", NOW),
                    lambda: store.sessions(ALICE, NOW, after=None, limit=10),
                    lambda: store.create_session(a_session("conv_2"), 10),
                    lambda: store.append([a_message("msg_2")], 1, NOW),
                    lambda: store.checkpoint(a_checkpoint(0, "a")),
                    lambda: store.search(ALICE, "Hello", NOW, limit=10),
                )
            ]
            is_there = await store.ping()
        finally:
            breakable.thaw()
        await until_it_answers(store)
        await store.checkpoint(a_checkpoint(0, "a", "b"))
        is_finished = await store.finish(a_checkpoint(2, "c"), an_ending())

        assert first_s < TIMEOUT_S + 0.4
        assert max(later_s) < 0.1
        assert not is_there
        assert is_finished
        answer = await store.message(ALICE, "resp_1")
        assert answer is not None
        assert answer.text == "abc"


async def seconds_to_be_lost(call: Callable[[], Awaitable[object]]) -> float:
    """Return how long the store took to say that its database is lost."""
    begun = time.monotonic()
    with pytest.raises(StoreLost):
        await call()
    return time.monotonic() - begun


@drivers
async def test_late_call_of_a_healthy_server_is_the_only_one_refused(
    breakable: Mongod, driver: Driver
) -> None:
    address = MongoAddress(
        uri=breakable.uri, database=breakable.new_database(), driver=driver, timeout_s=TIMEOUT_S
    )
    link = MongoLink(address)
    async with link.running():
        with pytest.raises(StoreLost):
            async with link.use():
                await asyncio.sleep(TIMEOUT_S + 1)

        async with link.use() as db:
            answer = await db.layout.database.command("ping")

    assert answer["ok"] == 1


@drivers
async def test_outage_that_nobody_runs_into_is_noticed(breakable: Mongod, driver: Driver) -> None:
    async with opened(breakable, driver) as store:
        breakable.freeze()
        try:
            # The watch asks every second and waits for as long as a call.
            await asyncio.sleep(1 + TIMEOUT_S + 1)
            elapsed_s = await seconds_to_be_lost(lambda: store.session(ALICE, "conv_1", NOW))
        finally:
            breakable.thaw()
        await until_it_answers(store)

        assert elapsed_s < 0.1


@drivers
async def test_server_that_starts_later_is_waited_for(tmp_path: Path, driver: Driver) -> None:
    mongod = Mongod(tmp_path)
    async with opened(mongod, driver, "late") as store:
        elapsed_s = await seconds_to_be_lost(lambda: store.session(ALICE, "conv_1", NOW))
        await asyncio.to_thread(mongod.start)
        try:
            await until_it_answers(store)
            await store.create_session(a_session(), 0)
            found = await store.session(ALICE, "conv_1", NOW)
        finally:
            mongod.kill()

    assert elapsed_s < 0.1
    assert found == a_session()


async def test_newer_database_that_answers_late_is_not_used(breakable: Mongod) -> None:
    database = breakable.new_database()
    with breakable.client() as client:
        client[database]["layout"].insert_one({"_id": "conch", "version": len(STEPS) + 1})
    with capture_logs() as logs:
        breakable.freeze()
        try:
            async with opened(breakable, "pymongo", database) as store:
                breakable.thaw()
                await until_logged("mongodb_refused", logs)
                is_there = await store.ping()
        finally:
            breakable.thaw()

    assert not is_there
    assert [entry["event"] for entry in logs] == ["mongodb_lost", "mongodb_refused"]


async def until_logged(event: str, logs: Sequence[Mapping[str, object]]) -> None:
    """Return when there is such a line."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if any(entry["event"] == event for entry in logs):
                return
            await asyncio.sleep(0.02)


@drivers
async def test_standalone_server_keeps_the_promises_too(tmp_path: Path, driver: Driver) -> None:
    with running_mongod(tmp_path, is_replica_set=False) as mongod:
        async with opened(mongod, driver, "alone") as store:
            await with_session(store, a_message("msg_1"), an_answer())
            appends = [store.append([a_message(f"msg_{n}")], 1, NOW) for n in range(2, 12)]
            results = await asyncio.gather(*appends, return_exceptions=True)
            stored = await store.messages(ALICE, "conv_1")

        assert sum(not isinstance(result, Exception) for result in results) == 1
        assert len(stored) == 3


async def test_address_that_is_none_is_refused_without_quoting_it() -> None:
    store = MongoStore(MongoAddress(uri="mongodb://me:pa:ss@word@host", database="conch"))

    with pytest.raises(StoreRefused) as refused:
        async with store.running():
            pass

    assert "mongodb_uri" in str(refused.value)
    assert "ss@word" not in str(refused.value)


class FaultyLink(MongoLink):
    """Has a fault of its own once, after it was opened."""

    num_looks = 0

    async def _ask(self) -> None:
        self.num_looks += 1
        if self.num_looks == 2:
            raise ValueError("a fault")
        await super()._ask()


async def test_a_fault_does_not_end_the_watch_over_the_database(breakable: Mongod) -> None:
    address = MongoAddress(uri=breakable.uri, database=breakable.new_database())
    link = FaultyLink(address)
    with capture_logs() as logs:
        async with link.running(), asyncio.timeout(PATIENCE_S):
            while link.num_looks < 4:  # noqa: ASYNC110 - the watch tells nobody that it has looked
                await asyncio.sleep(0.05)
    gc.collect()

    assert [line["event"] for line in logs if line["log_level"] == "error"] == [
        "mongodb_watch_fault"
    ]
