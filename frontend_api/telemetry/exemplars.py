"""Exemplars: for each bucket of a latency the trace of the last request that fell into it.

prometheus-client keeps none when several workers share their numbers. So each worker writes its
own, once a second, into a file beside the numbers, and whoever renders the page joins them: the
latest of each bucket. They are as many as the buckets are, and only of traces that are kept.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import orjson
from prometheus_client import CollectorRegistry, Histogram, Metric
from prometheus_client.samples import Exemplar, Sample
from prometheus_client.utils import floatToGoString

from frontend_api.telemetry.families import LATENCY_BUCKETS_S
from frontend_api.telemetry.tracing import current_span

_BOUNDS: Final = tuple(
    str(floatToGoString(bound))  # type: ignore[no-untyped-call]
    for bound in (*LATENCY_BUCKETS_S, float("inf"))
)


class _Bucket(NamedTuple):
    """The name of a sample, and its labels in order."""

    name: str
    labels: tuple[tuple[str, str], ...]


class _Seen(NamedTuple):
    """What fell into a bucket; seconds, and seconds since 1970."""

    trace_id: str
    value: float
    at: float


class Exemplars:
    """Those of this worker, and of all together."""

    def __init__(self, shared_folder: Path | None, worker: int | None = None) -> None:
        """Share them through the folder, if there is one, under that number, or the process's."""
        self._file = shared_folder and shared_folder / f"exemplars_{worker or os.getpid()}.json"
        self._own: dict[_Bucket, _Seen] = {}
        self._has_news = False

    def note(self, histogram: Histogram, value: float, labels: Mapping[str, str]) -> None:
        """Note what the current request adds to a histogram with LATENCY_BUCKETS_S."""
        span = current_span()
        if not span.is_sampled:
            return
        bound = _BOUNDS[bisect_left(LATENCY_BUCKETS_S, value)]
        name = f"{next(iter(histogram.describe())).name}_bucket"
        bucket = _Bucket(name, tuple(sorted({**labels, "le": bound}.items())))
        self._own[bucket] = _Seen(span.trace_id, value, time.time())
        self._has_news = True

    def share(self) -> None:
        """Let the other workers see the news."""
        if self._file is None or not self._has_news:
            return
        self._has_news = False
        half_written = self._file.with_suffix(".tmp")
        plain = [(tuple(bucket), tuple(seen)) for bucket, seen in self._own.items()]
        half_written.write_bytes(orjson.dumps(plain))
        half_written.replace(self._file)

    def shown_in(self, registry: CollectorRegistry) -> Shown:
        """Return the registry with the exemplars of all workers."""
        return Shown(registry, self._all())

    def _all(self) -> Mapping[_Bucket, _Seen]:
        latest = dict(self._own)
        for bucket, seen in self._shared():
            if bucket not in latest or latest[bucket].at < seen.at:
                latest[bucket] = seen
        return latest

    def _shared(self) -> Iterable[tuple[_Bucket, _Seen]]:
        if self._file is None:
            return
        for file in self._file.parent.glob("exemplars_*.json"):
            try:
                shared = orjson.loads(file.read_bytes())
            except FileNotFoundError:
                continue  # of a worker that has died
            for (name, labels), seen in shared:
                yield _Bucket(name, tuple((key, value) for key, value in labels)), _Seen(*seen)


class Shown:
    """A registry's metrics, each bucket with its exemplar; what prometheus-client renders."""

    def __init__(self, registry: CollectorRegistry, exemplars: Mapping[_Bucket, _Seen]) -> None:
        """Add these to it."""
        self._registry = registry
        self._exemplars = exemplars

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics of the moment."""
        for metric in self._registry.collect():
            if metric.type == "histogram" and self._exemplars:
                metric.samples = [self._with_exemplar(sample) for sample in metric.samples]
            yield metric

    def _with_exemplar(self, sample: Sample) -> Sample:
        seen = self._exemplars.get(_Bucket(sample.name, tuple(sorted(sample.labels.items()))))
        if seen is None:
            return sample
        found = Exemplar({"trace_id": seen.trace_id}, seen.value, round(seen.at, 3))
        return sample._replace(exemplar=found)
