"""The engine's figures as Triton custom metrics, on Triton's own metrics port."""

from collections.abc import Callable, Mapping
from typing import Final, Literal, Protocol

from .engines.protocol import EngineStats

Kind = Literal["gauge", "counter"]


class Metric(Protocol):
    """One time series of Triton's Python backend."""

    def set(self, value: float) -> None:
        """Set a gauge."""
        ...

    def increment(self, value: float) -> None:
        """Raise a counter."""
        ...


# Makes a metric of this name, description and kind, labelled with the model.
MetricFactory = Callable[[str, str, Kind], Metric]

FAMILIES: Final[Mapping[str, tuple[str, Kind, Callable[[EngineStats], int]]]] = {
    "conch_running_sequences": ("Sequences being generated", "gauge", lambda s: s.running),
    "conch_waiting_sequences": ("Sequences not started yet", "gauge", lambda s: s.waiting),
    "conch_max_running_sequences": ("Sequences that fit", "gauge", lambda s: s.max_running),
    "conch_kv_blocks_used": ("KV cache blocks in use", "gauge", lambda s: s.kv_blocks_used),
    "conch_kv_blocks": ("KV cache blocks", "gauge", lambda s: s.kv_blocks_total),
    "conch_prompt_tokens_total": ("Prompt tokens taken in", "counter", lambda s: s.prompt_tokens),
    "conch_generated_tokens_total": ("Tokens made", "counter", lambda s: s.generated_tokens),
    "conch_cached_tokens_total": (
        "Prompt tokens found in the KV cache",
        "counter",
        lambda s: s.cached_tokens,
    ),
}


class EngineMetrics:
    """Writes each figure that has changed; a write is a round trip to Triton's process."""

    def __init__(self, make: MetricFactory) -> None:
        self._metrics = {name: make(name, text, kind) for name, (text, kind, _) in FAMILIES.items()}
        self._written = dict.fromkeys(FAMILIES, 0)

    def update(self, stats: EngineStats) -> None:
        """Publish these figures."""
        for name, (_, kind, figure) in FAMILIES.items():
            value, written = figure(stats), self._written[name]
            if value == written:
                continue
            if kind == "counter":
                self._metrics[name].increment(value - written)
            else:
                self._metrics[name].set(value)
            self._written[name] = value
