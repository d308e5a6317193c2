"""Work that other threads have for the interpreter, for an engine that keeps it while it computes.

OpenVINO's `step` holds Python's interpreter lock from beginning to end (2026.4.1), so between two
steps every other thread gets one turn of it, if that: a response took a whole step to be sent.
Such an engine therefore waits after each step until the work announced here is done.
"""

import threading
import time


class Backlog:
    """Counts what is to be done; safe to share between threads."""

    def __init__(self) -> None:
        self._is_less = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """How many things are left to do."""
        return self._count

    def add(self) -> None:
        """There is one thing more to do."""
        with self._is_less:
            self._count += 1

    def done(self) -> None:
        """One of them is done."""
        with self._is_less:
            self._count -= 1
            self._is_less.notify()

    def wait_until_done(self, limit_s: float) -> None:
        """Return when nothing is left to do, or after the limit; for one thread only."""
        # Triton's own thread counts nothing: this lets it in.
        time.sleep(0)
        with self._is_less:
            self._is_less.wait_for(lambda: self._count <= 0, limit_s)
