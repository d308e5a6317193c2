"""A Conch of the benchmark's own: started, its addresses read from what it prints, stopped."""

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from scripts.launcher.bootstrap import ROOT

_START_LIMIT_S = 120.0
_STOP_LIMIT_S = 15.0
_GRPC = re.compile(r"gRPC (\S+:\d+)")
_READY = re.compile(r"Conch is ready: (\S+)")


class CannotServeError(Exception):
    """Conch did not start; the message is what it said."""


@dataclass(frozen=True)
class Serving:
    """Where a running Conch is: `pid` is the launcher, parent of all its processes."""

    pid: int
    grpc_address: str
    base_url: str


@contextlib.contextmanager
def serving(repository: Path, model: str, workers: int) -> Iterator[Serving]:
    """Yield a Conch that serves one model on free ports; raises CannotServeError."""
    options = ["--port", "0", "--workers", str(workers)]
    command = [sys.executable, "-m", "scripts.launcher", *options]
    command += ["--repository", str(repository), "--model", model]
    process = subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        grpc_address, base_url = _addresses(process)
        yield Serving(process.pid, grpc_address, base_url)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()


def _addresses(process: "subprocess.Popen[str]") -> tuple[str, str]:
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_forward, args=(process.stdout, lines), daemon=True).start()
    seen: list[str] = []
    while True:
        try:
            line = lines.get(timeout=_START_LIMIT_S)
        except queue.Empty:
            line = None
        if line is None:
            raise CannotServeError("".join(seen).strip() or "Conch did not start.")
        seen.append(line)
        if ready := _READY.search(line):
            grpc = _GRPC.search("".join(seen))
            if grpc is None:
                raise CannotServeError("Conch did not say where its Triton listens.")
            return grpc[1], ready[1]


def _forward(stream: IO[str] | None, lines: "queue.SimpleQueue[str | None]") -> None:
    for line in stream or ():
        lines.put(line)
    lines.put(None)
