"""One log of all services: whole lines, in one form, with their source."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from frontend_api.logs import line_renderer
from scripts.launcher.bootstrap import ROOT
from scripts.launcher.engine_output import engine_output
from scripts.launcher.entries import EntryReader
from scripts.launcher.service_log import TAIL_LINES, LogStream, ServiceLog

LIMIT_S = 20
PRINTS = """
import os, resource
from triton_backend.llm.output import name_output
name_output("tiny", os.environ)
print("loading")
os.system("echo from a child")
os.write(2, b"terminate called without an active exception\\n")
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.abort()
"""


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[LogStream]:
    with contextlib.closing(LogStream(tmp_path / "conch.log", line_renderer("json"))) as stream:
        yield stream


def environ(**given: str) -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT), **given}


def logged(stream: LogStream) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.path.read_text(encoding="utf-8").splitlines()]


def test_a_line_in_pieces_is_one_entry_with_its_source(stream: LogStream) -> None:
    log = ServiceLog(stream, "triton", EntryReader())

    for piece in (b"W1122 20:25:55.0", b"40404 18046 server.cc:241] ", b'"Slow."\nand'):
        log.write(piece)
    log.end()

    first, second = logged(stream)
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "source": "triton", "where": "server.cc:241", "event": "Slow.", "level": "warning",
    }  # fmt: skip
    assert (second["event"], second["level"]) == ("and", "info")


def test_lines_of_the_api_stay_as_they_are_and_what_else_it_prints_gets_their_form(
    stream: LogStream,
) -> None:
    api = ServiceLog(stream, "api", EntryReader(), lambda line: line.startswith("{"))

    api.write(b'{"event": "request", "status": 200}\nMemoryError\n')

    request, other = logged(stream)
    assert request == {"event": "request", "status": 200}
    assert (other["source"], other["event"]) == ("api", "MemoryError")


def test_lines_for_people_have_the_same_fields(tmp_path: Path) -> None:
    stream = LogStream(tmp_path / "conch.log", line_renderer("text"))
    log = ServiceLog(stream, "engine", EntryReader(model="demo"))

    log.write(b"Traceback (most recent call last):\n  here\nOSError: gone\n")
    log.end()
    stream.close()

    told = stream.path.read_text(encoding="utf-8")
    assert "[error" in told
    assert "OSError: gone" in told
    assert "model=demo" in told
    assert "source=engine" in told
    assert "  here" in told


def test_no_key_is_in_a_line(stream: LogStream) -> None:
    key = f"ck_{'a' * 12}_{'b' * 64}"
    log = ServiceLog(stream, "engine", EntryReader())

    log.write(f"got {key}\n".encode())

    assert "b" * 64 not in stream.path.read_text(encoding="utf-8")


def test_the_tail_is_the_last_lines_even_of_undecodable_output(stream: LogStream) -> None:
    log = ServiceLog(stream, "triton", EntryReader())

    log.write(b"".join(b"line %d\n" % number for number in range(100)) + b"\xff\n")

    lines = log.tail().splitlines()
    assert len(lines) == TAIL_LINES
    assert lines[-2].strip() == "line 99"


async def test_what_a_models_process_prints_until_it_dies_is_logged_under_its_name(
    stream: LogStream,
) -> None:
    triton = ServiceLog(stream, "triton", EntryReader())
    async with engine_output(stream, triton) as socket:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PRINTS, env=environ(LLM_OUTPUT_SOCKET=str(socket))
        )
        async with asyncio.timeout(LIMIT_S):
            assert await process.wait() < 0
            while "terminate" not in triton.tail():  # noqa: ASYNC110 (a log has no Event)
                await asyncio.sleep(0.01)

    assert [(each["event"], each["level"]) for each in logged(stream)] == [
        ("loading", "info"),
        ("from a child", "info"),
        ("terminate called without an active exception", "critical"),
    ]
    assert {(each["source"], each["model"]) for each in logged(stream)} == {("engine", "tiny")}


def test_a_process_prints_as_before_where_nobody_listens(tmp_path: Path) -> None:
    for given in (environ(), environ(LLM_OUTPUT_SOCKET=str(tmp_path / "nobody"))):
        ended = subprocess.run(
            [sys.executable, "-c", PRINTS], env=given, capture_output=True, text=True, check=False
        )

        assert ended.stdout.splitlines()[-1] == "from a child"
