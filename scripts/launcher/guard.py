"""Kills what the launcher started if the launcher itself is killed, and clears up after it.

A process of its own, run as a file (standard library only): `guard.py <shared memory prefix>`.
It reads `+<pgid>` and `-<pgid>` lines from its input; when the input ends, whatever ended the
launcher, it kills the process groups that are left and removes the shared memory that killed
servers leave (1 MB a model). Signals to the terminal's group do not reach it.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (where Triton puts it; the names carry our prefix)


def groups_left(lines: Iterable[str]) -> set[int]:
    """Return the process groups added and not removed when the input ends."""
    groups: set[int] = set()
    for line in lines:
        change = groups.add if line.startswith("+") else groups.discard
        change(int(line[1:]))
    return groups


def remove_shared_memory(prefix: str) -> None:
    """Delete the regions whose names start so."""
    for path in _SHARED_MEMORY.glob(f"{prefix}*"):
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    for group in groups_left(sys.stdin):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    remove_shared_memory(sys.argv[1])
