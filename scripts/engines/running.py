"""Runs a plan's commands one after the other, each printed first; their output stays visible."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from scripts.adding.errors import AddingError
from scripts.engines.commands import TRIAL, Command

_HELP_LIMIT_S: Final = 1800  # the first start of a container fetches its image, 16 GB
_END_LIMIT_S: Final = 30


class Runner:
    """Runs commands with this environment."""

    def __init__(self, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._environ = environ
        self._say = say

    def check_flags(self, helped: Command, flags: Sequence[str]) -> None:
        """Raise AddingError for a flag that a tool's help does not name: hours may lie ahead."""
        self._say(f"$ {helped}")
        try:
            with self._started(helped, captures=True) as process:
                said, fault = process.communicate(timeout=_HELP_LIMIT_S)
        except subprocess.TimeoutExpired as error:
            raise AddingError(f"{_tool(helped)} did not answer in time.") from error
        if process.returncode:
            lines = (fault or said).strip().splitlines()
            raise AddingError(f"{_tool(helped)} failed: {lines[-1] if lines else 'no reason'}.")
        missing = [flag for flag in flags if flag not in said]
        if missing:
            raise AddingError(f"This version's {_tool(helped)} does not know {missing[0]}.")

    def run(self, command: Command) -> None:
        """Run to the end; AddingError when it fails. When we are interrupted, so is it."""
        self._say(f"$ {command}")
        with self._started(command, captures=False) as process:
            status = process.wait()
        if status:
            raise AddingError(
                f"{_tool(command)} failed with exit code {status}; its own words are above."
            )

    def listen(self, command: Command, limit_s: float) -> tuple[str, int]:
        """What it printed on its standard output, and its exit status; AddingError if too late."""
        self._say(f"$ {command}")
        try:
            with self._started(command, captures=True, shows_faults=True) as process:
                said, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired as error:
            raise AddingError(f"{_tool(command)} did not end in time.") from error
        return said, process.returncode

    @contextlib.contextmanager
    def _started(
        self, command: Command, *, captures: bool, shows_faults: bool = False
    ) -> Iterator[subprocess.Popen[str]]:
        """Yield the tool's process; ended if the block is left by an error or an interruption."""
        with ThreadPoolExecutor(max_workers=1) as starter:
            # Signals go to the main thread: one in the middle of Popen would leave a process that
            # runs and that nobody knows.
            starting = starter.submit(
                self._start, command, captures=captures, shows_faults=shows_faults
            )
            try:
                yield starting.result()
            except BaseException:
                if starting.exception() is None:
                    _end(starting.result())
                raise

    def _start(
        self, command: Command, *, captures: bool, shows_faults: bool
    ) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE if captures else None
        environ = {**self._environ, **command.environ}
        faults = None if shows_faults else pipe
        try:
            return subprocess.Popen(
                command.argv, env=environ, stdout=pipe, stderr=faults, text=True, cwd=command.cwd
            )
        except FileNotFoundError as error:
            name = command.argv[0]
            hint = (
                "install Docker and the NVIDIA container toolkit, or run this inside the image"
                " with --no-container"
                if name == "docker"
                else "is this the image that the plan names?"
            )
            raise AddingError(f"There is no command {name}: {hint}.") from error


def _end(process: subprocess.Popen[str]) -> None:
    """Ask it to end, and a container with it, then make it."""
    with process:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_LIMIT_S)
        process.kill()


def _tool(command: Command) -> str:
    """The tool's own name, container or not."""
    known = ("trtllm-build", "quantize.py", "huggingface_example.sh", TRIAL)
    names = [Path(part).name for part in command.argv]
    return next((name for name in names if name in known), names[0])
