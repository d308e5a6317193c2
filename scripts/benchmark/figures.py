"""What a run measured, and the figures drawn from it.

A run is a number of streams side by side; a stream is the arrival times of its pieces.
Percentiles are nearest-rank, so each is a time that really occurred.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from statistics import median


@dataclass
class StreamTimes:
    """Arrivals of one stream, in seconds of one monotonic clock."""

    started_at: float
    arrivals: list[float] = field(default_factory=list)
    num_tokens: int = 0

    def add(self, now: float, num_tokens: int) -> None:
        """Note a piece of `num_tokens` that arrived `now`."""
        self.arrivals.append(now)
        self.num_tokens += num_tokens


@dataclass(frozen=True)
class Figures:
    """One run of one step: what the table shows."""

    tokens_per_s: float
    first_p50_ms: float
    first_p99_ms: float
    gap_p99_ms: float
    cpu_us_per_token: float
    num_tokens: int


def summarise(streams: Sequence[StreamTimes], cpu_s: float) -> Figures:
    """Return the figures of one run; raises ValueError when a stream brought nothing."""
    if not streams or not all(stream.arrivals for stream in streams):
        raise ValueError("a stream ended without a token")
    began = min(stream.started_at for stream in streams)
    ended = max(stream.arrivals[-1] for stream in streams)
    num_tokens = sum(stream.num_tokens for stream in streams)
    first = [stream.arrivals[0] - stream.started_at for stream in streams]
    gaps = [later - earlier for s in streams for earlier, later in pairwise(s.arrivals)]
    return Figures(
        tokens_per_s=num_tokens / (ended - began),
        first_p50_ms=percentile(first, 50) * 1e3,
        first_p99_ms=percentile(first, 99) * 1e3,
        gap_p99_ms=percentile(gaps, 99) * 1e3 if gaps else 0.0,
        cpu_us_per_token=cpu_s / num_tokens * 1e6,
        num_tokens=num_tokens,
    )


def middle(runs: Sequence[Figures]) -> Figures:
    """Return the median of each figure over several runs of one step."""
    return Figures(
        tokens_per_s=median(run.tokens_per_s for run in runs),
        first_p50_ms=median(run.first_p50_ms for run in runs),
        first_p99_ms=median(run.first_p99_ms for run in runs),
        gap_p99_ms=median(run.gap_p99_ms for run in runs),
        cpu_us_per_token=median(run.cpu_us_per_token for run in runs),
        num_tokens=sum(run.num_tokens for run in runs),
    )


def percentile(values: Iterable[float], percent: float) -> float:
    """Return the nearest-rank percentile of a non-empty series."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]
