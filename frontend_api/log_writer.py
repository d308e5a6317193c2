"""Log lines are written by a thread: who does not read them holds up nobody's answer."""

from __future__ import annotations

import atexit
import os
import queue
import select
import threading
from functools import cache
from typing import Final

import structlog

# Of 200 to 400 bytes each: what a busy worker says in some ten seconds.
_MAX_WAITING_LINES: Final = 10_000
_ENDING_LIMIT_S: Final = 2.0
_STDERR: Final = 2
_log = structlog.get_logger()


class LogWriter:
    """A text stream whose `write` never waits; beyond a bound lines are dropped, and counted.

    A pipe takes 64 KiB. Then whoever writes to it stands still until somebody reads: a pager, a
    stopped terminal, a collector that is stuck, and with it every stream of the worker.
    """

    def __init__(self, descriptor: int, max_waiting_lines: int = _MAX_WAITING_LINES) -> None:
        """Write to an open file descriptor, which stays the caller's; `close` it at the end."""
        self._descriptor = descriptor
        # No queue.Queue: a line that a finalizer or a signal handler writes while another one is
        # being put would wait for that one for ever.
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._max_waiting_lines = max_waiting_lines
        self._num_dropped = 0
        self._thread = threading.Thread(target=self._write_all, name="log-writer", daemon=True)
        self._thread.start()

    def write(self, line: str) -> int:
        """Take a line, or drop it where too many wait; returns its length."""
        if self._lines.qsize() < self._max_waiting_lines:
            self._lines.put(line)
        else:
            self._num_dropped += 1
        return len(line)

    def flush(self) -> None:
        """Do nothing: a handler asks for it after each line."""

    def close(self, limit_s: float = _ENDING_LIMIT_S) -> None:
        """Write what waits, for at most this long."""
        self._lines.put(None)
        self._thread.join(limit_s)

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            self._write_whole(line.encode("utf-8", "backslashreplace"))
            if self._lines.empty():
                self._tell_dropped()
        self._tell_dropped()
        while not self._lines.empty():  # what was told just now
            self._write_whole((self._lines.get() or "").encode("utf-8", "backslashreplace"))

    def _tell_dropped(self) -> None:
        if self._num_dropped:
            num_dropped, self._num_dropped = self._num_dropped, 0
            # At this level, as a log without its errors must say so whatever is wanted of it.
            _log.critical("log_lines_dropped", count=num_dropped)

    def _write_whole(self, rest: bytes) -> None:
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError:
                return  # nobody is there to read it any more


@cache
def stderr_writer() -> LogWriter:
    """Return the one of this process; what waits is written when the process ends."""
    writer = LogWriter(_STDERR)
    atexit.register(writer.close)
    return writer
