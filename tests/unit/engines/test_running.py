"""The commands of a build: said, run, and ended with us."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.adding.errors import AddingError
from scripts.engines.commands import Command
from scripts.engines.running import Runner
from scripts.launcher.plan import ROOT
from tests.contract.engine_runs import PATIENCE_S
from tests.unit.engines.tools_made import write_tool

_TOOL = """#!/bin/sh
trap 'kill $!; echo ended > "$1"; exit' TERM
sleep 600 &
echo started > "$1"
wait
"""
_BUILD = """
import os, signal, sys
# Who is started in a shell's background ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)
from scripts.engines.commands import Command
from scripts.engines.running import Runner
Runner(os.environ, print).run(Command(tuple(sys.argv[1:])))
"""


def test_each_command_is_said_before_it_runs(tmp_path: Path) -> None:
    said: list[str] = []
    tool = write_tool(tmp_path / "tool", "#!/bin/sh\nexit 3\n")

    with pytest.raises(AddingError, match="tool failed with exit code 3"):
        Runner({}, said.append).run(Command((str(tool), "a b"), environ={"X": "1 2"}))

    assert said == [f"$ X='1 2' {tool} 'a b'"]


def test_an_interrupted_build_takes_its_tool_with_it(tmp_path: Path) -> None:
    tool, news = write_tool(tmp_path / "tool", _TOOL), tmp_path / "news"
    os.mkfifo(news)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _BUILD, str(tool), str(news)]

    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as build:
        started = news.read_text(encoding="utf-8")
        build.send_signal(signal.SIGINT)
        ended = news.read_text(encoding="utf-8")
        build.wait(PATIENCE_S)

    assert (started, ended) == ("started\n", "ended\n")
