"""The sequences of an engine that has a thread of its own.

Any thread adds, cancels and asks; only the engine's thread takes, and it alone finishes what it
took. The engine's thread sleeps in `wait` while there is nothing to do.
"""

import threading
from collections import deque
from collections.abc import Sequence

from ..errors import EngineFailed, RequestError
from .protocol import Delta, SequenceParams, Sink


class RosterSequence:
    """One submitted sequence."""

    def __init__(
        self, ids: Sequence[int], params: SequenceParams, sink: Sink, roster: "Roster"
    ) -> None:
        self.ids = ids
        self.params = params
        self.is_cancelled = False
        self.num_generated = 0
        self._sink = sink
        self._roster = roster

    def cancel(self) -> None:
        """Have the engine's thread free it."""
        self.is_cancelled = True
        self._roster.wake()

    def emit(self, delta: Delta) -> None:
        """Hand a delta to the sink; called on the engine's thread."""
        self.num_generated += len(delta.ids)
        self._sink(delta)


class Roster:
    """Who waits and who runs, in order of arrival, with at most `max_running` running."""

    def __init__(self, max_running: int) -> None:
        self.max_running = max_running
        self._changed = threading.Condition()
        self._waiting: deque[RosterSequence] = deque()
        self._running: dict[RosterSequence, None] = {}
        self._is_woken = False
        self._is_closed = False
        self.prompt_tokens = 0
        self.generated_tokens = 0

    @property
    def is_closed(self) -> bool:
        """Whether nothing is taken in any more."""
        return self._is_closed

    @property
    def num_waiting(self) -> int:
        """Sequences that have not started."""
        return len(self._waiting)

    @property
    def running(self) -> list[RosterSequence]:
        """Sequences that have started and not finished, oldest first."""
        return list(self._running)

    def add(self, ids: Sequence[int], params: SequenceParams, sink: Sink) -> RosterSequence:
        """Queue a sequence; EngineFailed when the roster is closed."""
        sequence = RosterSequence(ids, params, sink, self)
        with self._changed:
            if self._is_closed:
                raise EngineFailed("The engine has stopped.")
            self._waiting.append(sequence)
        self.wake()
        return sequence

    def wake(self) -> None:
        """Let the engine's thread look again."""
        with self._changed:
            self._is_woken = True
            self._changed.notify()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Sleep until there is something to do or the time is up; False once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_woken or self._is_closed, timeout_s)
            self._is_woken = False
            return not self._is_closed

    def start_waiting(self) -> list[RosterSequence]:
        """Move sequences from waiting to running while there is room; returns those moved."""
        started: list[RosterSequence] = []
        with self._changed:
            cancelled = [sequence for sequence in self._waiting if sequence.is_cancelled]
            for sequence in cancelled:
                self._waiting.remove(sequence)
            while self._waiting and len(self._running) < self.max_running:
                sequence = self._waiting.popleft()
                self._running[sequence] = None
                self.prompt_tokens += len(sequence.ids)
                started.append(sequence)
        for sequence in cancelled:
            sequence.emit(Delta(finish="cancelled"))
        return started

    def finish(self, sequence: RosterSequence, delta: Delta) -> None:
        """Forget a running sequence and hand out its last delta."""
        with self._changed:
            self._running.pop(sequence, None)
        self.generated_tokens += len(delta.ids)
        sequence.emit(delta)

    def progress(self, sequence: RosterSequence, delta: Delta) -> None:
        """Hand out a delta of a sequence that goes on."""
        self.generated_tokens += len(delta.ids)
        sequence.emit(delta)

    def close(self) -> None:
        """Take nothing in any more and let the engine's thread end."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def end_all(self, error: RequestError | None = None) -> None:
        """End whatever is left, as cancelled or with an error; for the engine's thread."""
        last = Delta(finish="cancelled") if error is None else Delta(error=error)
        with self._changed:
            left = [*self._running, *self._waiting]
            self._running.clear()
            self._waiting.clear()
        for sequence in left:
            sequence.emit(last)
