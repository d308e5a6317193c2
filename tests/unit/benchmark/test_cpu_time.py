"""Processor time of a process tree."""

import os
from pathlib import Path

from scripts.benchmark.cpu_time import tree_cpu_s

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def add_process(proc: Path, pid: int, parent: int, ticks: tuple[int, int]) -> None:
    (proc / str(pid)).mkdir()
    fields = ["S", str(parent), *["0"] * 9, str(ticks[0]), str(ticks[1]), "0"]
    (proc / str(pid) / "stat").write_text(f"{pid} (a) b) {' '.join(fields)}")


def test_descendants_count_and_strangers_do_not(tmp_path: Path) -> None:
    add_process(tmp_path, 10, 1, (3, 4))
    add_process(tmp_path, 11, 10, (20, 0))
    add_process(tmp_path, 12, 11, (0, 100))
    add_process(tmp_path, 13, 1, (9999, 9999))

    assert tree_cpu_s(10, tmp_path) == 127 * TICK_S


def test_a_process_that_is_gone_counts_nothing(tmp_path: Path) -> None:
    assert tree_cpu_s(10, tmp_path) == 0
