"""A page of metrics as numbers, and what changed from one page to the next.

How it works: counters and the buckets of histograms only grow, so what happened between two looks
is their difference; one that has shrunk belongs to a server that has started again, and counts
whole. Quantiles are Prometheus's: within a bucket the values are taken as evenly spread.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

from prometheus_client.parser import text_string_to_metric_families

Labels: TypeAlias = Mapping[str, str]
Match: TypeAlias = Callable[[Labels], bool]
# By the name of a sample: its value for each set of labels.
Page: TypeAlias = Mapping[str, Mapping[frozenset[tuple[str, str]], float]]


def read_page(text: str) -> Page:
    """Return the samples of a page; raises ValueError where it is none."""
    page: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            page.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return page


def any_labels(labels: Labels) -> bool:
    """Match every sample."""
    return True


def of_model(model: str) -> Match:
    """Match the samples of one model."""
    return lambda labels: labels.get("model") == model


def total(page: Page, name: str, match: Match = any_labels) -> float:
    """Return the sum of a gauge's samples; 0 when there are none."""
    return sum(value for labels, value in page.get(name, {}).items() if match(dict(labels)))


@dataclass(frozen=True, slots=True)
class Change:
    """Two looks, `seconds` apart."""

    before: Page
    after: Page
    seconds: float

    def growth(self, name: str, match: Match = any_labels) -> float:
        """Return how much was counted between the looks."""
        return sum(value for _, value in self._grown(name, match))

    def rate(self, name: str, match: Match = any_labels) -> float:
        """Return how much was counted in a second."""
        return self.growth(name, match) / self.seconds if self.seconds > 0 else 0.0

    def quantile(self, share: float, histogram: str, match: Match = any_labels) -> float | None:
        """Return what `share` of the values seen between the looks stay below; None of none."""
        counts: dict[float, float] = {}
        for labels, value in self._grown(f"{histogram}_bucket", match):
            bound = float(labels["le"])
            counts[bound] = counts.get(bound, 0.0) + value
        return _quantile(share, sorted(counts.items()))

    def _grown(self, name: str, match: Match) -> Iterable[tuple[Labels, float]]:
        before = self.before.get(name, {})
        for labels, value in self.after.get(name, {}).items():
            told = dict(labels)
            if match(told):
                was = before.get(labels, 0.0)
                yield told, value - was if value >= was else value


def _quantile(share: float, buckets: list[tuple[float, float]]) -> float | None:
    """Return the quantile of cumulative counts by upper bound, the last of them infinite."""
    if not buckets or buckets[-1][1] <= 0:
        return None
    rank = share * buckets[-1][1]
    low, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank:
            if bound == inf:
                return low  # beyond the largest bound nothing is known but that
            return low + (bound - low) * (rank - below) / max(count - below, 1e-9)
        low, below = bound, count
    return low
