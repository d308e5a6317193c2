"""What every engine offers: sequences of token ids in, deltas of token ids out.

An engine owns its thread or event loop. `submit` may be called from any thread and returns at
once; from then on the sink gets deltas on the engine's thread and exactly one of them, the
last, has `finish` or `error`. Ids of the end token and of stop tokens are not part of deltas.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from ..errors import RequestError
from ..request import Sampling

Finish = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class SequenceParams:
    """How one sequence is generated; all values are settled."""

    sampling: Sampling
    max_tokens: int
    seed: int
    stop_token_ids: tuple[int, ...]


# Token ids with their log probabilities, likeliest first.
TopLogProbs: TypeAlias = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Delta:
    """New tokens of one sequence; `log_probs` and `top_log_probs` are empty or as long as `ids`."""

    ids: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    finish: Finish | None = None
    error: RequestError | None = None
    cached_tokens: int = 0
    top_log_probs: tuple[TopLogProbs, ...] = ()

    @property
    def is_last(self) -> bool:
        """Whether the sequence has ended."""
        return self.finish is not None or self.error is not None


# Where an engine puts a sequence's deltas; quick and never raising.
Sink: TypeAlias = Callable[[Delta], None]


class SequenceHandle(Protocol):
    """A submitted sequence."""

    def cancel(self) -> None:
        """Free it soon; its sink still gets one last delta."""
        ...


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Sequences and KV blocks now; tokens since the engine started."""

    running: int = 0
    waiting: int = 0
    max_running: int = 0
    kv_blocks_used: int = 0
    kv_blocks_total: int = 0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    cached_tokens: int = 0


class Engine(Protocol):
    """Runs one compiled model."""

    @property
    def capabilities(self) -> frozenset[str]:
        """Names of engine.json's capabilities this engine truly has."""
        ...

    @property
    def is_alive(self) -> bool:
        """False when it can serve nothing any more and must be loaded again."""
        ...

    def check(self, params: SequenceParams) -> None:
        """Raise InvalidRequest for what only the engine can judge; takes a second at most."""
        ...

    def submit(self, ids: Sequence[int], params: SequenceParams, sink: Sink) -> SequenceHandle:
        """Queue one sequence; EngineFailed when the engine is gone."""
        ...

    def stats(self) -> EngineStats:
        """The figures of this moment."""
        ...

    def close(self, timeout_s: float) -> None:
        """End all sequences as cancelled and stop the thread, in this time at most."""
        ...
