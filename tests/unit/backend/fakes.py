"""Stand-ins for the engine and for Triton's response sender."""

import threading
from collections.abc import Sequence

from triton_backend.llm.engines.protocol import Delta, EngineStats, SequenceParams, Sink
from triton_backend.llm.errors import RequestError
from triton_backend.llm.reply import Reply

# Long enough for any machine; a test that meets it has failed.
PATIENCE_S = 20


class FakeHandle:
    """A sequence the test feeds by hand; a cancelled one ends at once."""

    def __init__(self, ids: Sequence[int], params: SequenceParams, sink: Sink) -> None:
        self.ids = ids
        self.params = params
        self.sink = sink
        self.is_cancelled = False

    def cancel(self) -> None:
        if not self.is_cancelled:
            self.is_cancelled = True
            self.sink(Delta(finish="cancelled"))


class FakeEngine:
    """Keeps what was submitted; once set, `refusal` is raised instead, `check_gate` waited for."""

    capabilities = frozenset({"n", "seed", "json_schema"})

    def __init__(self, max_running: int = 8) -> None:
        self.submitted: list[FakeHandle] = []
        self.refusal: RequestError | None = None
        self.is_alive = True
        self.is_closed = False
        self.check_gate: threading.Event | None = None
        self.has_submission = threading.Semaphore(0)
        self._max_running = max_running

    def check(self, params: SequenceParams) -> None:
        if self.check_gate is not None:
            assert self.check_gate.wait(PATIENCE_S)
        if params.sampling.guide is not None and self.refusal is not None:
            raise self.refusal

    def submit(self, ids: Sequence[int], params: SequenceParams, sink: Sink) -> FakeHandle:
        if self.refusal is not None:
            raise self.refusal
        handle = FakeHandle(ids, params, sink)
        self.submitted.append(handle)
        self.has_submission.release()
        return handle

    def next_submitted(self) -> FakeHandle:
        """The next sequence that was submitted, waited for."""
        assert self.has_submission.acquire(timeout=PATIENCE_S)
        return self.submitted[-1]

    def stats(self) -> EngineStats:
        running = [handle for handle in self.submitted if not handle.is_cancelled]
        return EngineStats(running=len(running), max_running=self._max_running)

    def close(self, timeout_s: float) -> None:
        self.is_closed = True
        for handle in self.submitted:
            handle.cancel()


class FakeStream:
    """Keeps what was sent; the test may wait for the end and play a client that leaves."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.error: RequestError | None = None
        self.num_finals = 0
        self.has_left = False
        self.is_broken = False
        self.is_released = threading.Event()
        self._news = threading.Condition()

    def send(self, reply: Reply, *, is_final: bool) -> None:
        if self.is_broken:
            raise RuntimeError("Triton has gone")
        with self._news:
            self.replies.append(reply)
            self.num_finals += is_final
            self._news.notify_all()

    def fail(self, error: RequestError) -> None:
        with self._news:
            self.error = error
            self.num_finals += 1
            self._news.notify_all()

    def is_cancelled(self) -> bool:
        return self.has_left

    def release(self) -> None:
        self.is_released.set()

    def wait_for_end(self) -> None:
        """Return when the last response has been sent."""
        with self._news:
            assert self._news.wait_for(lambda: self.num_finals > 0, PATIENCE_S)

    def wait_for_replies(self, count: int) -> None:
        """Return when this many responses have been sent."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.replies) >= count, PATIENCE_S)

    @property
    def text(self) -> str:
        """All text sent so far."""
        return "".join(reply.text or "" for reply in self.replies)
