"""scripts/top before a real server: what it shows, and what it says where it cannot."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from frontend_api.app import create_app
from scripts.launcher.bootstrap import ROOT
from scripts.launcher.ports import free_port
from scripts.watching.cli import main
from tests.web.fakes import FakeGenerator, words
from tests.web.keyed import KEYS, with_keys
from tests.web.running import served, serving, settings, wired

LIMIT_S = 30
QUICK = ("--once", "--interval", "0.01")


@dataclass(frozen=True)
class Ended:
    """What it printed, and its exit status."""

    status: int | None
    out: str
    err: str


async def top(*argv: str, key: str = "") -> Ended:
    """Run it in a pipe until it ends."""
    environ = {"PYTHONPATH": str(ROOT), **({"CONCH_API_KEY": key} if key else {})}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "scripts.watching.cli", *argv),
        env=environ,
        stdout=PIPE,
        stderr=PIPE,
    )
    async with asyncio.timeout(LIMIT_S):
        out, err = await process.communicate()
    return Ended(process.returncode, out.decode(), err.decode())


@pytest.fixture
async def keyed() -> AsyncIterator[str]:
    """The address of a server that wants keys."""
    app = create_app(wired(FakeGenerator(words("Hi")), chosen=with_keys()))
    async with serving(app) as it:
        yield f"http://127.0.0.1:{it.port}"


async def test_it_shows_a_server_once_as_text_and_as_json(keyed: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEYS["all"] + "\n")
    text = await top(*QUICK, "--url", keyed, key=KEYS["all"])
    told = await top(*QUICK, "--json", "--url", keyed, "--key-file", str(file))

    assert (text.status, text.err) == (0, "")
    assert f"at {keyed}  ready" in text.out
    assert "demo" in text.out
    assert "\x1b" not in text.out  # no colours in a pipe
    figures = json.loads(told.out)
    assert figures["models"][0]["name"] == "demo"
    assert figures["store"]["state"] == "ok"
    assert figures["traffic"]["http_in_flight"] == 0


async def test_in_a_pipe_one_screen_follows_another_until_nobody_reads(keyed: str) -> None:
    script = f"{sys.executable} -P -m scripts.watching.cli --url {keyed} --interval 0.01 | head -60"
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", script),
        env={"PYTHONPATH": str(ROOT), "CONCH_API_KEY": KEYS["all"], "PATH": os.defpath},
        stdout=PIPE,
        stderr=PIPE,
    )
    async with asyncio.timeout(LIMIT_S):
        out, err = await process.communicate()

    assert out.decode().count(f"at {keyed}") > 1
    assert err == b""


@pytest.mark.parametrize("name", ["", "wrong-key-0123456789", "metrics", "admin"])
async def test_a_key_that_may_not_is_one_sentence(keyed: str, name: str) -> None:
    ended = await top(*QUICK, "--url", keyed, key=KEYS.get(name, name))

    assert (ended.status, ended.out) == (1, "")
    assert "the scopes admin and metrics" in ended.err
    assert ended.err.count("\n") == 1


async def test_nobody_and_a_stranger_are_one_sentence_each() -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    ended = await top(*QUICK, "--url", nobody)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == f"No server answers at {nobody}: Connection refused.\n"

    server = await asyncio.start_server(_answer_nonsense, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        ended = await top(*QUICK, "--url", f"http://127.0.0.1:{port}")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == f"What answers at http://127.0.0.1:{port} is not Conch.\n"


async def test_a_key_is_not_sent_to_where_a_server_sends_us() -> None:
    asked: list[bytes] = []

    async def send_elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        head = f"HTTP/1.1 307 T\r\nLocation: http://localhost:{port}/other\r\n"
        writer.write(f"{head}Connection: close\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(send_elsewhere, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        ended = await top(*QUICK, "--url", f"http://127.0.0.1:{port}", key=KEYS["admin"])

    assert (ended.status, len(asked)) == (1, 1)
    assert "/admin/status sends elsewhere (307)" in ended.err


async def test_a_server_without_metrics_is_one_sentence() -> None:
    async with served(FakeGenerator(), settings(observability={"enable_metrics": False})) as it:
        ended = await top(*QUICK, "--url", f"http://127.0.0.1:{it.port}")

    assert ended.status == 1
    assert "has no metrics at /metrics" in ended.err


async def _answer_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]")
    writer.close()


async def test_metrics_may_be_at_another_path() -> None:
    chosen = settings(observability={"metrics_path": "/figures"})
    async with served(FakeGenerator(), chosen) as it:
        url = f"http://127.0.0.1:{it.port}"
        ended = await top(*QUICK, "--url", url, "--metrics-path", "/figures", "--json")
        page = (await it.client.get("/figures")).text

    # As recording rules know it.
    assert 'conch_http_requests_total{route="/metrics",status="200"}' in page
    assert "/figures" not in page
    # Its own looks are not counted, wherever they go.
    assert json.loads(ended.out)["traffic"]["requests_per_s"] == 0


@pytest.mark.parametrize(
    "argv",
    [
        ["--url", "nonsense"],
        ["--interval", "0"],
        ["--interval", "soon"],
        ["--metrics-path", "metrics"],
        ["--key-file", "/not/there"],
        ["--json"],
        ["demo"],
    ],
    ids=" ".join,
)
def test_a_wrong_argument_is_one_sentence(
    argv: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv, {})

    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
