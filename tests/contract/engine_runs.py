"""Running sequences on an engine and waiting for their end."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from triton_backend.llm.engines.protocol import Delta, Engine, SequenceHandle, SequenceParams
from triton_backend.llm.request import Sampling

# Long enough for any machine; a test that meets it has failed.
PATIENCE_S = 60
PROMPT = [5, 6, 7, 8, 9, 10, 11, 12]


@dataclass
class Run:
    """One sequence and what came of it."""

    deltas: list[Delta] = field(default_factory=list)
    handle: SequenceHandle | None = None
    _news: threading.Condition = field(default_factory=threading.Condition)

    def sink(self, delta: Delta) -> None:
        """Take a delta, on the engine's thread."""
        with self._news:
            self.deltas.append(delta)
            self._news.notify_all()

    def wait_for_tokens(self, count: int) -> None:
        """Return when this many tokens have come."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.ids) >= count, PATIENCE_S)

    def wait_for_end(self) -> "Run":
        """Return when the last delta has come."""
        with self._news:
            assert self._news.wait_for(lambda: self._has_ended, PATIENCE_S)
        return self

    @property
    def _has_ended(self) -> bool:
        return bool(self.deltas) and self.deltas[-1].is_last

    @property
    def ids(self) -> list[int]:
        """All token ids so far."""
        return [token_id for delta in self.deltas for token_id in delta.ids]

    @property
    def finish(self) -> str | None:
        """The finish reason of the last delta."""
        return self.deltas[-1].finish

    def cancel(self) -> None:
        """Cancel the sequence."""
        assert self.handle is not None
        self.handle.cancel()


def params(
    sampling: Sampling | None = None,
    *,
    max_tokens: int = 8,
    seed: int = 1,
    stop_token_ids: tuple[int, ...] = (),
) -> SequenceParams:
    """Parameters of a short sequence; greedy unless told otherwise."""
    greedy = Sampling(temperature=0, ignore_eos=not stop_token_ids)
    return SequenceParams(sampling or greedy, max_tokens, seed, stop_token_ids)


def start(engine: Engine, one: SequenceParams, ids: Sequence[int] = PROMPT) -> Run:
    """Submit one sequence."""
    run = Run()
    run.handle = engine.submit(ids, one, run.sink)
    return run


def finish(engine: Engine, one: SequenceParams, ids: Sequence[int] = PROMPT) -> Run:
    """Submit one sequence and wait for its end."""
    return start(engine, one, ids).wait_for_end()
