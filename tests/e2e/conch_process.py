"""A whole Conch as its user starts it: the launcher, the real tritonserver, real API processes."""

import asyncio
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from scripts.launcher.bootstrap import ROOT

# Generous: nothing waits so long unless something is broken.
LIMIT_S = 60.0


def until(is_true: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Return when `is_true`; fails naming `what` after the limit."""
    deadline = time.monotonic() + limit_s
    while not is_true():
        assert time.monotonic() < deadline, f"never happened in {limit_s} s: {what}"
        time.sleep(0.02)


async def until_async(is_true: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Return when `is_true`, as `until`; other tasks of the test go on meanwhile."""
    await asyncio.to_thread(until, is_true, what, limit_s)


def is_gone(process: psutil.Process) -> bool:
    """Whether the process has ended (a zombie has)."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@dataclass
class Conch:
    """A started launcher and what it printed so far."""

    launcher: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    _incoming: "queue.Queue[str]" = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.launcher.stdout is not None
        for line in self.launcher.stdout:
            self._incoming.put(line.rstrip())

    def wait_for_line(self, pattern: str) -> re.Match[str]:
        """Return the first match among all lines, also those still to come."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            for line in self.lines:
                if match := re.search(pattern, line):
                    return match
            assert time.monotonic() < deadline, f"{pattern!r} not among {self.lines}"
            assert self.launcher.poll() is None or not self._incoming.empty(), self.lines
            try:
                self.lines.append(self._incoming.get(timeout=0.1))
            except queue.Empty:
                continue

    @property
    def url(self) -> str:
        """Where the API is."""
        return self.wait_for_line(r"Conch is ready: (http://\S+)")[1]

    @property
    def triton_address(self) -> str:
        """Where Triton's gRPC is."""
        return self.wait_for_line(r"gRPC ([\d.:]+)")[1]

    @property
    def metrics_url(self) -> str:
        """Where Triton's metrics are."""
        return self.wait_for_line(r"(http://\S+/metrics)")[1]

    def gauge(self, name: str, model: str) -> float:
        """Return one of the engine's figures, as Triton's metrics have it."""
        text = httpx.get(self.metrics_url, timeout=LIMIT_S).text
        found = re.search(rf'^{name}{{model="{model}",version="1"}} (\S+)$', text, re.M)
        assert found, f"{name} of {model} is not in {self.metrics_url}"
        return float(found[1])

    def processes(self) -> list[psutil.Process]:
        """Return all living processes below the launcher."""
        children = psutil.Process(self.launcher.pid).children(recursive=True)
        return [child for child in children if not is_gone(child)]

    def process(self, *words: str) -> psutil.Process:
        """Return the one living process whose command line has all these words."""
        return next(
            child
            for child in self.processes()
            if all(any(word in part for part in child.cmdline()) for word in words)
        )

    def workers(self) -> list[psutil.Process]:
        """Return the API's worker processes, of which there are several."""
        children = self.process("frontend_api").children()
        return [child for child in children if any("spawn_main" in w for w in child.cmdline())]

    def kill(self, *words: str) -> None:
        """`kill -9` that process."""
        self.process(*words).send_signal(signal.SIGKILL)

    def kill_triton(self) -> None:
        """`kill -9` the tritonserver."""
        self.kill("bin/tritonserver", "--load-model")

    def kill_stub(self, model: str) -> None:
        """`kill -9` the Python process in which Triton runs the model."""
        self.kill("triton_python_backend_stub", f"/{model}/1/model.py")

    def is_ready(self) -> bool:
        """Whether GET /readiness answers 200."""
        try:
            return httpx.get(f"{self.url}/readiness", timeout=LIMIT_S).status_code == 200
        except httpx.TransportError:
            return False

    def is_serving(self, model: str) -> bool:
        """Whether the model answers a request."""
        body = {"model": model, "prompt": "Hello", "max_tokens": 1}
        answer = httpx.post(f"{self.url}/v1/completions", json=body, timeout=LIMIT_S)
        return answer.status_code == 200

    def remove_logs(self) -> None:
        """Delete what the launcher keeps of its run; a test shows what it needs of it itself."""
        for line in self.lines:
            if match := re.search(r"Conch is ready: http://[\d.]+:(\d+)", line):
                shutil.rmtree(ROOT / ".run" / match[1], ignore_errors=True)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal to the launcher; its exit code once it has ended."""
        self.launcher.send_signal(number)
        code = self.launcher.wait(LIMIT_S)
        self._reader.join(LIMIT_S)
        return code


def launcher_command(arguments: Sequence[str]) -> list[str]:
    """Return what scripts/serve becomes after its installation; of the web chat as it is."""
    return [sys.executable, "-P", "-m", "scripts.launcher", "--no-build", *arguments]


def environment(**changes: str) -> dict[str, str]:
    """Return our environment without settings of Conch, as scripts/serve hands it on."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONCH_")}
    return {**kept, "PYTHONPATH": str(ROOT), **changes}


@contextmanager
def running_conch(
    *arguments: str, cwd: Path = ROOT, environ: Mapping[str, str] | None = None
) -> Iterator[Conch]:
    """Start a Conch on a free port, with sessions of its own; at the end it is stopped."""
    with (
        tempfile.TemporaryDirectory(prefix="conch-test-") as folder,
        subprocess.Popen(
            launcher_command(["--port", "0", *arguments]),
            cwd=cwd,
            env=environment(
                **{"CONCH_STORE__SQLITE_PATH": f"{folder}/conch.db", **(environ or {})}
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as launcher,
    ):
        conch = Conch(launcher)
        try:
            yield conch
        finally:
            if launcher.poll() is None:
                conch.end()
            conch.remove_logs()


def run_launcher(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run the launcher to its end, for what must be refused."""
    return subprocess.run(
        launcher_command(arguments),
        env=environment(**environ),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
