"""Log lines on a pipe: read, not read, and read by nobody any more."""

import os
import subprocess
import sys
import threading

import pytest

from frontend_api.log_writer import LogWriter

# More than a pipe takes.
LINE = "x" * 1023 + "\n"
NUM_LINES = 1000
# A signal's handler writes a hundred times, whatever the program is at.
WRITING_IN_BETWEEN = """
import signal
from frontend_api.log_writer import stderr_writer
writer, handled = stderr_writer(), []
signal.signal(signal.SIGVTALRM, lambda *_: handled.append(writer.write("in between\\n")))
signal.setitimer(signal.ITIMER_VIRTUAL, 1e-4, 1e-4)
while len(handled) < 100:
    writer.write("line\\n")
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
"""
# More than is kept is written before anybody reads.
DROPPING = """
from frontend_api.log_writer import stderr_writer
from frontend_api.logs import configure_logging
writer = stderr_writer()
configure_logging("error", "json", (), writer)
for _ in range(20_000):
    writer.write("x" * 1023 + chr(10))
"""


class Pipe:
    """Both ends of one."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def read_all(self) -> str:
        with os.fdopen(self.reading, encoding="utf-8") as end:
            return end.read()


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


def test_lines_are_written_in_order_and_all_of_them_before_it_closes(pipe: Pipe) -> None:
    writer = LogWriter(pipe.writing)
    for number in range(100):
        writer.write(f"line {number}\n")
    writer.close()
    os.close(pipe.writing)

    assert pipe.read_all().splitlines() == [f"line {number}" for number in range(100)]


def test_who_does_not_read_holds_up_nobody_who_writes(pipe: Pipe) -> None:
    writer = LogWriter(pipe.writing, max_waiting_lines=10)

    for _ in range(NUM_LINES):
        writer.write(LINE)  # would never return

    told: list[str] = []
    reader = threading.Thread(target=lambda: told.append(pipe.read_all()))
    reader.start()
    writer.close(limit_s=10)
    os.close(pipe.writing)
    reader.join()
    assert 10 <= told[0].count(LINE) < NUM_LINES


def test_lines_that_were_dropped_are_told_at_the_sternest_level() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", DROPPING], stderr=subprocess.PIPE, text=True
    ) as process:
        said = process.communicate(timeout=60)[1]

    assert '"event": "log_lines_dropped"' in said


def test_a_line_in_the_middle_of_another_ones_writing_holds_up_nobody() -> None:
    # A process of its own, which can be ended: without what this is about it would stand still.
    done = subprocess.run(
        [sys.executable, "-c", WRITING_IN_BETWEEN],
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0


def test_a_stuck_reader_keeps_nobody_from_ending(pipe: Pipe) -> None:
    writer = LogWriter(pipe.writing, max_waiting_lines=2)
    for _ in range(NUM_LINES):
        writer.write(LINE)

    writer.close(limit_s=0.05)

    os.close(pipe.reading)  # which ends the thread's write as well


def test_a_descriptor_that_does_not_block_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.writing, False)
    writer = LogWriter(pipe.writing)
    for _ in range(NUM_LINES):
        writer.write(LINE)
    told: list[str] = []
    reader = threading.Thread(target=lambda: told.append(pipe.read_all()))
    reader.start()

    writer.close(limit_s=10)
    os.close(pipe.writing)
    reader.join()

    assert told[0].count(LINE) == NUM_LINES


def test_lines_nobody_can_read_any_more_are_let_go(pipe: Pipe) -> None:
    os.close(pipe.reading)
    writer = LogWriter(pipe.writing)

    writer.write(LINE)
    writer.write(LINE)
    writer.close(limit_s=10)

    os.close(pipe.writing)
