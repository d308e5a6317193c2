"""Processor time of a process and of all it started, as /proc tells it (Linux, proc(5))."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def tree_cpu_s(root_pid: int, proc: Path = Path("/proc")) -> float:
    """Return user and system seconds used so far by `root_pid` and its living descendants."""
    stats = dict(_stats(proc))
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in stats.items():
        children.setdefault(parent, []).append(pid)
    pending, ticks = [root_pid], 0
    while pending:
        pid = pending.pop()
        if pid in stats:
            ticks += stats[pid][1]
        pending += children.get(pid, [])
    return ticks / _TICKS_PER_S


def _stats(proc: Path) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield pid, (parent pid, ticks) of every process that still is there."""
    for folder in proc.iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            # pid (name) state ppid ... utime stime; the name may hold anything.
            fields = (folder / "stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        yield int(folder.name), (int(fields[1]), int(fields[11]) + int(fields[12]))
