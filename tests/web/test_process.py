"""`python -m frontend_api` as a process: starting, refusing to start, workers, stopping."""

import asyncio
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tests.web.fake_triton import FakeTriton, accepted, delta, listening
from tests.web.running import ask

ROOT = Path(__file__).parents[2]
# Their lines are more than a pipe takes, and the buffer behind it.
NUM_UNREAD = 1000
START_S = 60


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder with room for names of sockets below it, which end at 108 characters."""
    with TemporaryDirectory(prefix="conch-") as folder:
        yield Path(folder)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def start(*arguments: str, **environ: str) -> asyncio.subprocess.Process:
    """Start it with a store that leaves nothing behind, unless `environ` names one."""
    environ.setdefault("CONCH_STORE__SQLITE_PATH", ":memory:")
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "frontend_api",
        *arguments,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    _, errors = await asyncio.wait_for(process.communicate(), START_S)
    return process.returncode, errors.decode()


@asynccontextmanager
async def running(
    triton: FakeTriton, *arguments: str, **environ: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    port = free_port()
    async with listening(triton) as triton_port:
        process = await start(
            "--port",
            str(port),
            *arguments,
            CONCH_TRITON__URL=f"127.0.0.1:{triton_port}",
            **environ,
        )
        try:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", timeout=START_S, trust_env=False
            ) as client:
                await until_ready(client)
                yield process, client
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def until_ready(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(START_S):
        while True:
            try:
                if (await client.get("/readiness")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


async def until_refused(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await client.get("/health", headers={"connection": "close"})
            except httpx.TransportError:
                return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("arguments", "environ", "sentence"),
    [
        (("--port", "many"), {}, "frontend_api: argument --port: invalid int value: 'many'.\n"),
        (
            (),
            {"CONCH_SERVER__WORKERS": "0"},
            "frontend_api: The setting server.workers cannot be '0': "
            "Input should be greater than or equal to 1.\n",
        ),
        (
            ("--host", "0.0.0.0"),
            {},
            "frontend_api: Without keys the API listens on this machine only, and server.host is "
            "0.0.0.0: set security.enable_auth = true, or security.allow_unauthenticated = true "
            "to let everybody in.\n",
        ),
        (
            ("--config", "none.toml"),
            {},
            "frontend_api: The configuration file none.toml cannot be read: "
            "No such file or directory.\n",
        ),
    ],
)
async def test_a_wrong_start_is_one_sentence_and_exit_code_2(
    arguments: tuple[str, ...], environ: dict[str, str], sentence: str
) -> None:
    assert await ended(await start(*arguments, **environ)) == (2, sentence)


async def test_a_taken_port_is_one_sentence_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        code, errors = await ended(await start("--port", str(port)))

    assert code == 2
    assert errors == f"frontend_api: Cannot listen on 127.0.0.1:{port}: Address already in use.\n"


def of_another_program(path: Path) -> str:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE things (a)")
    return "it is the database of another program: name another file"


def newer(path: Path) -> str:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    return "it was written by a newer version (layout 99"


def no_database(path: Path) -> str:
    path.write_text("no database at all, but text of some length" * 100)
    return "file is not a database"


def a_folder(path: Path) -> str:
    path.mkdir()
    return ""


@pytest.mark.parametrize("made", [of_another_program, newer, no_database, a_folder])
async def test_a_store_that_cannot_be_used_is_one_sentence_and_exit_code_2(
    tmp_path: Path, made: Callable[[Path], str]
) -> None:
    path = tmp_path / "conch.db"
    reason = made(path)

    code, errors = await ended(
        await start("--port", str(free_port()), CONCH_STORE__SQLITE_PATH=str(path))
    )

    assert code == 2
    assert errors.startswith(f"frontend_api: SQLite file {path} cannot be used: {reason}")
    assert errors.count("\n") == 1


async def test_a_server_whose_log_nobody_reads_goes_on_answering() -> None:
    async with running(FakeTriton()) as (_, client):
        answers = [await client.get("/v1/models") for _ in range(NUM_UNREAD)]

    assert {answer.status_code for answer in answers} == {200}


async def test_the_folder_of_the_store_is_made_and_its_sessions_outlive_the_server(
    tmp_path: Path,
) -> None:
    path = tmp_path / "new" / "conch.db"
    triton = FakeTriton([accepted(1), delta("a", reason="stop")])
    for _ in range(2):
        async with running(triton, CONCH_STORE__SQLITE_PATH=str(path)) as (process, client):
            turn = await client.post("/v1/chat/completions", json=ask(session="mine"))
            history = await client.get("/v1/conversations/mine/items")
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), 10)

    assert turn.status_code == 200
    assert len(history.json()["data"]) == 4


async def test_a_background_answer_may_end_while_the_server_drains(tmp_path: Path) -> None:
    path = str(tmp_path / "conch.db")
    go_on = asyncio.Event()
    triton = FakeTriton([accepted(1), delta("a"), go_on, delta("b", reason="stop")])
    body = {"model": "demo", "input": "x", "background": True}
    async with running(triton, CONCH_STORE__SQLITE_PATH=path) as (process, client):
        made = (await client.post("/v1/responses", json=body)).json()
        process.send_signal(signal.SIGTERM)
        await until_refused(client)
        go_on.set()
        await asyncio.wait_for(process.wait(), 10)
    async with running(triton, CONCH_STORE__SQLITE_PATH=path) as (_, client):
        found = (await client.get(f"/v1/responses/{made['id']}")).json()

    assert found["status"] == "completed"
    assert found["output"][0]["content"][0]["text"] == "ab"


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_sigterm_drains_a_stream_and_ends_with_code_0(workers: str) -> None:
    triton = FakeTriton([accepted(1), delta("a"), asyncio.Event()])
    async with (
        running(triton, "--workers", workers, CONCH_SERVER__DRAIN_TIMEOUT_S="0.2") as (
            process,
            client,
        ),
        client.stream("POST", "/v1/chat/completions", json=ask(stream=True)) as response,
    ):
        process.send_signal(signal.SIGTERM)
        body = (await response.aread()).decode()
        code = await asyncio.wait_for(process.wait(), 10)

    assert '"code":"shutting_down"' in body
    assert body.endswith("data: [DONE]\n\n")
    assert code == 0
    await asyncio.wait_for(triton.cancelled.wait(), 5)


async def test_metrics_of_two_workers_are_one(short_path: Path) -> None:
    triton = FakeTriton([accepted(1), delta("a", reason="stop")])
    async with running(triton, "--workers", "2", TMPDIR=str(short_path)) as (process, client):
        for _ in range(20):
            # A new connection each time, so that both workers get some.
            await client.post("/v1/chat/completions", json=ask(), headers={"connection": "close"})
        page = (await client.get("/metrics")).text

        assert [name[:14] for name in names_in(short_path)] == ["conch-metrics-"]
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 10)

    assert 'conch_generations_total{model="demo",outcome="completed"} 20.0' in page
    assert names_in(short_path) == []


async def test_workers_end_when_their_parent_is_killed(short_path: Path) -> None:
    async with running(FakeTriton(), "--workers", "2", TMPDIR=str(short_path)) as (process, client):
        process.kill()
        await process.wait()

        await until_refused(client)
