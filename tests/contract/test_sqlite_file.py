"""The SQLite store as a file: shared by processes, lasting, refused when it is not ours."""

import asyncio
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from frontend_api.adapters.sqlite import SqliteStore, memory_store
from frontend_api.adapters.sqlite_layout import MIGRATIONS
from frontend_api.domain.errors import StoreLost
from frontend_api.domain.sessions import Session, SessionChanges
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

# Says a number for each append that was acknowledged, until it is killed.
WRITER = """
import asyncio, sys
from frontend_api.adapters.sqlite import SqliteStore
from tests.contract.stores import NOW, a_message

async def write(path, name):
    store = SqliteStore(path, timeout_s=20)
    async with store.running():
        for number in range(10_000):
            session_id = f"conv_{name}"
            await store.append([a_message(f"{name}_{number}", session_id=session_id)], number, NOW)
            print(number, flush=True)

asyncio.run(write(*sys.argv[1:]))
"""


def file_in(folder: Path) -> Path:
    return folder / "data" / "conch.db"


def writer(path: Path, name: str) -> Popen[bytes]:
    root = Path(__file__).parents[2]
    return Popen([sys.executable, "-c", WRITER, str(path), name], cwd=root, stdout=PIPE)


def numbers_of(process: Popen[bytes], wanted: int) -> list[int]:
    """Return what the writer acknowledged until it is killed after so many lines."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(wanted)]
    process.kill()
    rest = process.stdout.read().splitlines(keepends=True)
    process.stdout.close()
    process.wait()
    return [int(line) for line in lines + rest if line.endswith(b"\n")]


async def test_file_is_made_with_its_folder_and_for_its_owner_only(tmp_path: Path) -> None:
    path = file_in(tmp_path)

    async with SqliteStore(path).running():
        modes = {kept.name: stat.S_IMODE(kept.stat().st_mode) for kept in path.parent.iterdir()}

    assert modes["conch.db"] == 0o600
    assert set(modes.values()) == {0o600}


async def test_what_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    path = file_in(tmp_path)
    store = SqliteStore(path)

    for turn in range(2):
        async with store.running():
            if turn == 0:
                await with_session(store, a_message("msg_1"))
            assert await store.messages(ALICE, "conv_1") == [a_message("msg_1")]


async def test_file_is_stamped_and_flushed_at_every_write(tmp_path: Path) -> None:
    path = file_in(tmp_path)
    store = SqliteStore(path)

    async with store.running(), store._writing() as db:
        synchronous = [row[0] for row in await db.execute_fetchall("PRAGMA synchronous")]
        mode = [row[0] for row in await db.execute_fetchall("PRAGMA journal_mode")]

    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert (synchronous, mode) == ([2], ["wal"])


async def test_file_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = file_in(tmp_path)
    async with SqliteStore(path).running():
        pass
    newer = len(MIGRATIONS) + 1
    with closing(sqlite3.connect(path)) as plain:
        plain.execute(f"PRAGMA user_version = {newer}")

    with pytest.raises(StoreRefused, match="newer version"):
        async with SqliteStore(path).running():
            pass

    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("PRAGMA user_version").fetchone() == (newer,)


async def test_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("CREATE TABLE sessions (id)")

    with pytest.raises(StoreRefused, match="another program"):
        async with SqliteStore(path).running():
            pass

    with closing(sqlite3.connect(path)) as plain:
        tables = plain.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("sessions",)]


async def test_file_that_is_no_database_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary, " * 100)

    with pytest.raises(StoreRefused) as refusal:
        async with SqliteStore(path).running():
            pass

    assert str(refusal.value) == f"SQLite file {path} cannot be used: file is not a database."
    assert path.read_text().startswith("Dear diary")


async def test_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="cannot be used"):
        async with SqliteStore(tmp_path).running():
            pass


async def test_workers_that_start_together_lay_out_the_file_once(tmp_path: Path) -> None:
    async def start() -> bool:
        store = SqliteStore(file_in(tmp_path))
        async with store.running():
            return await store.ping()

    assert await asyncio.gather(*(start() for _ in range(8))) == [True] * 8


async def test_memory_store_keeps_the_contract_and_forgets(tmp_path: Path) -> None:
    store = memory_store()

    async with store.running():
        await with_session(store, a_message("msg_1"), an_answer())
        await asyncio.gather(
            *(store.checkpoint(a_checkpoint(0, "a")) for _ in range(5)),
            *(store.message(ALICE, "resp_1") for _ in range(5)),
        )
        assert await store.finish(a_checkpoint(1, "b"), an_ending())
    async with store.running():
        assert await store.message(ALICE, "resp_1") is None


async def test_store_that_is_not_open_is_lost(tmp_path: Path) -> None:
    store = SqliteStore(file_in(tmp_path))

    assert not await store.ping()
    with pytest.raises(StoreLost):
        await store.session(ALICE, "conv_1", NOW)


async def test_writes_are_lost_in_time_and_reads_go_on_while_the_file_is_locked(
    tmp_path: Path,
) -> None:
    path = file_in(tmp_path)
    store = SqliteStore(path, timeout_s=0.3)
    clock = asyncio.get_running_loop().time
    async with store.running():
        await store.create_session(a_session(), 0)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            started_at = clock()

            writes = (store.create_session(a_session(f"conv_1{n}"), 0) for n in range(5))
            results = await asyncio.gather(*writes, return_exceptions=True)

            assert [type(result) for result in results] == [StoreLost] * 5
            assert clock() - started_at < 1.5
            assert await store.session(ALICE, "conv_1", NOW) == a_session()
            other.execute("ROLLBACK")
        await store.create_session(a_session("conv_3"), 0)


async def test_query_that_takes_too_long_is_stopped_and_the_next_one_works(tmp_path: Path) -> None:
    store = SqliteStore(file_in(tmp_path), timeout_s=0.3)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"

    async with store.running():
        with pytest.raises(StoreLost):
            async with store._reading() as db:
                await db.execute_fetchall(endless)

        assert await store.session(ALICE, "conv_1", NOW) is None


async def test_write_given_up_half_way_leaves_nothing(tmp_path: Path) -> None:
    store = SqliteStore(file_in(tmp_path))
    async with store.running():
        await with_session(store)
        is_begun = asyncio.Event()

        async def half() -> None:
            async with store._writing() as db:
                await db.execute_fetchall("DELETE FROM sessions")
                is_begun.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(half())
        await is_begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        session = await store.append([a_message("msg_1")], 0, NOW)

    assert session.num_messages == 1


async def test_calls_given_up_at_any_moment_never_spoil_the_connection(tmp_path: Path) -> None:
    store = SqliteStore(file_in(tmp_path), timeout_s=20)
    async with store.running():
        session: Session | None = await with_session(store)

        for number in range(60):
            assert session is not None
            message = a_message(f"msg_{number}")
            task = asyncio.create_task(store.append([message], session.head_version, NOW))
            for _ in range(number):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            # A write, as it comes after what was given up: that may have been stored or not.
            session = await store.change_session(ALICE, "conv_1", SessionChanges())

        messages = await store.messages(ALICE, "conv_1")

    assert session is not None
    assert len(messages) == session.num_messages == session.head_version


@pytest.mark.timeout(60)
async def test_nothing_acknowledged_is_lost_when_processes_are_killed(tmp_path: Path) -> None:
    path = file_in(tmp_path)
    async with SqliteStore(path, timeout_s=20).running():
        pass
    store = SqliteStore(path, timeout_s=20)
    async with store.running():
        for name in ("a", "b"):
            await store.create_session(a_session(f"conv_{name}"), 0)
        processes = {name: writer(path, name) for name in ("a", "b")}

        acknowledged = {
            name: await asyncio.to_thread(numbers_of, process, 40)
            for name, process in processes.items()
        }

        for name, numbers in acknowledged.items():
            kept = [message.id for message in await store.messages(ALICE, f"conv_{name}")]
            session = await store.session(ALICE, f"conv_{name}", NOW)
            assert session is not None
            assert kept[: len(numbers)] == [f"{name}_{number}" for number in numbers]
            # The last one may have been stored without a word of it getting out.
            assert len(kept) - len(numbers) in {0, 1}
            assert (session.num_messages, session.head) == (len(kept), kept[-1])


async def test_calls_under_way_when_it_closes_are_answered(tmp_path: Path) -> None:
    store = SqliteStore(file_in(tmp_path))
    async with store.running():
        await with_session(store)
        calls = [asyncio.create_task(store.message(ALICE, "msg_1")) for _ in range(20)]
        await asyncio.sleep(0)

    results = await asyncio.gather(*calls, return_exceptions=True)

    assert {type(result) for result in results} <= {type(None), StoreLost}


async def test_full_disk_is_a_lost_store_that_still_reads(tmp_path: Path) -> None:
    store = SqliteStore(file_in(tmp_path))
    async with store.running():
        session = await with_session(store)
        async with store._writing() as db:
            await db.execute_fetchall("PRAGMA max_page_count = 1")

        with pytest.raises(StoreLost):
            await store.append([a_message("msg_1", "x" * 100_000)], session.head_version, NOW)

        assert await store.session(ALICE, "conv_1", NOW) == session


async def test_what_people_wrote_is_not_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    store = SqliteStore(file_in(tmp_path))

    async with store.running():
        await with_session(store, a_message("msg_1", "my secret"))

    assert "my secret" not in caplog.text
