"""What the service observes: once for each request or second, never for each token.

With several workers prometheus-client shares its numbers through files in the
folder that PROMETHEUS_MULTIPROC_DIR names; the parent process makes and removes it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics import exposition as openmetrics

from frontend_api.domain.errors import codes_of_errors
from frontend_api.domain.generation import Usage
from frontend_api.domain.model import MODEL_STATES, ServedModel
from frontend_api.telemetry.exemplars import Exemplars
from frontend_api.telemetry.families import (
    ConnectionMetrics,
    GenerationMetrics,
    HostMetrics,
    LimitMetrics,
    LineMetrics,
    ModelMetrics,
    ProcessMetrics,
    RequestMetrics,
    StoreMetrics,
    WaitingMetrics,
)
from frontend_api.telemetry.host import DiskFigures
from frontend_api.telemetry.original import OriginalMetrics
from frontend_api.telemetry.process import ProcessFigures
from frontend_api.telemetry.tracing import NoTracing, Tracing

_OPENMETRICS: Final = "application/openmetrics-text"
# How a generation can end: our own words, the codes of our errors, and those that our backend gives
# with a refusal. A model that is not ours may say anything, and a label must not have it all.
_REFUSED: Final = "refused_otherwise"
_OUTCOMES: Final = {
    *("completed", "cancelled", "error"),
    *("array_above_max_length", "empty_array", "invalid_type", "invalid_value", "not_found"),
    *("previous_response_not_found", "request_limit_exceeded", "session_full"),
    *("string_above_max_length", "unknown_parameter"),
    *codes_of_errors(),
}


@dataclass(frozen=True, slots=True)
class GenerationRecord:
    """What is measured of one ended generation."""

    model: str
    outcome: str
    usage: Usage
    first_token_s: float | None
    duration_s: float


class Telemetry:
    """The service's metrics, in a registry of their own, and the way to its traces."""

    def __init__(self, shared_folder: Path | None = None, tracing: Tracing | None = None) -> None:
        """Count in this process, or together with the other workers that use `shared_folder`."""
        self.tracing = tracing or NoTracing()
        self._exemplars = Exemplars(shared_folder)
        self._shared_folder = shared_folder
        self._known_models: set[str] = set()
        self._cpu_s = 0.0
        # A creation time for each series would double the page, and no dashboard asks for it.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._requests = RequestMetrics(self._registry)
        self._generations = GenerationMetrics(self._registry)
        self._line = LineMetrics(self._registry)
        self._waiting = WaitingMetrics(self._registry)
        self._limits = LimitMetrics(self._registry)
        self._store = StoreMetrics(self._registry)
        self._connections = ConnectionMetrics(self._registry)
        self._models = ModelMetrics(self._registry)
        self._process = ProcessMetrics(self._registry)
        self._host = HostMetrics(self._registry)
        self._original = OriginalMetrics(self._registry)

    def request_started(self) -> None:
        """Count one more HTTP request in flight."""
        self._requests.running.inc()

    def request_ended(
        self,
        route: str,
        status: int,
        duration_s: float,
        *,
        has_failed: bool = False,
        tokens: int | None = None,
    ) -> None:
        """Count one HTTP request; `route` is the rule, so its values are few.

        has_failed: an error was answered, with a status or inside a stream.
        tokens: how many were generated; None when the request generated nothing.
        """
        self._requests.running.dec()
        self.message_ended(route, status, duration_s, has_failed=has_failed, tokens=tokens)

    def message_ended(
        self,
        route: str,
        status: int,
        duration_s: float,
        *,
        has_failed: bool,
        tokens: int | None = None,
    ) -> None:
        """Count one request that came as a message of a WebSocket, as `request_ended` does."""
        self._requests.count.labels(route, str(status)).inc()
        self._observe(self._requests.seconds, duration_s, route=route)
        self._original.count(route, duration_s, has_failed, tokens)

    def limit_passed(self) -> None:
        """Count one request that a limit of an address or a key has let pass."""
        self._original.rate_limit_allowed.inc()

    def generation_started(self, model: str) -> None:
        """Count one more generation in flight."""
        self._generations.running.labels(model).inc()

    def generation_ended(self, record: GenerationRecord) -> None:
        """Count one ended generation with its tokens and times."""
        metrics, model, usage = self._generations, record.model, record.usage
        metrics.running.labels(model).dec()
        outcome = record.outcome if record.outcome in _OUTCOMES else _REFUSED
        metrics.count.labels(model, outcome).inc()
        metrics.tokens.labels(model, "prompt").inc(usage.prompt_tokens)
        metrics.tokens.labels(model, "cached").inc(usage.cached_tokens)
        metrics.tokens.labels(model, "completion").inc(usage.completion_tokens)
        self._observe(metrics.seconds, record.duration_s, model=model)
        if record.first_token_s is None:
            return
        self._observe(metrics.first_token_seconds, record.first_token_s, model=model)
        writing_s, num_gaps = record.duration_s - record.first_token_s, usage.completion_tokens - 1
        if writing_s > 0 and num_gaps > 0:
            metrics.between_tokens_seconds.labels(model).observe(writing_s / num_gaps)
            metrics.tokens_per_second.labels(model).observe(num_gaps / writing_s)

    def queue_joined(self, model: str) -> None:
        """Count one more generation in line."""
        self._line.waiting.labels(model).inc()

    def queue_left(self, model: str, duration_s: float) -> None:
        """Count one less, however it left."""
        self._line.waiting.labels(model).dec()
        self._observe(self._line.seconds, duration_s, model=model)

    def queue_refused(self, model: str, code: str) -> None:
        """Count one for which there was no place, in line or at the model."""
        self._line.refused.labels(model, code).inc()

    def writes_wait(self, count: int) -> None:
        """Say how many writes wait for the database."""
        self._waiting.writes.set(count)

    def titles_wait(self, count: int) -> None:
        """Say how many sessions wait for a title."""
        self._waiting.titles.set(count)

    def limit_refused(self, limit: str) -> None:
        """Count one refusal; `limit` is the name of a limit, as `requests`."""
        self._limits.refused.labels(limit).inc()
        self._original.rate_limit_blocked.inc()

    def store_asked(self, duration_s: float, *, has_failed: bool) -> None:
        """Count one operation of the database."""
        outcome = "failed" if has_failed else "done"
        self._store.seconds.labels(outcome).observe(duration_s)

    def socket_opened(self) -> None:
        """Count one more WebSocket."""
        self._connections.sockets.inc()

    def socket_closed(self) -> None:
        """Count one less."""
        self._connections.sockets.dec()

    def stream_resumed(self) -> None:
        """Count a stored answer that somebody reads on, or again."""
        self._connections.resumed.inc()

    def models_seen(self, models: Sequence[ServedModel]) -> None:
        """Set the state of every model; a model that is gone keeps no state."""
        gone = self._known_models - {model.name for model in models}
        for name in gone:
            for state in MODEL_STATES:
                self._models.state.labels(name, state).set(0)
        for model in models:
            for state in MODEL_STATES:
                self._models.state.labels(model.name, state).set(state == model.state)
            self._models.load_seconds.labels(model.name).set(model.load_s or 0)
            self._models.memory_bytes.labels(model.name).set(model.memory_bytes or 0)
        self._known_models = {model.name for model in models}

    def process_seen(self, figures: ProcessFigures, loop_lag_s: float) -> None:
        """Set what this process uses, and count how late its event loop was."""
        self._process.memory_bytes.set(figures.memory_bytes)
        self._process.open_files.set(figures.open_files)
        self._process.cpu_seconds.inc(max(0.0, figures.cpu_s - self._cpu_s))
        self._cpu_s = figures.cpu_s
        self._process.loop_lag_seconds.observe(loop_lag_s)

    def disk_seen(self, disk: DiskFigures) -> None:
        """Set what is left of the disk."""
        self._host.disk_free_bytes.set(disk.free_bytes)
        self._host.disk_size_bytes.set(disk.size_bytes)

    def certificate_loaded(self, ends_at: float) -> None:
        """Say until when the certificate in use is good; 0 without one."""
        self._host.certificate_end_seconds.set(ends_at)

    def exemplars_shared(self) -> None:
        """Let the pages of all workers show the traces of this one."""
        self._exemplars.share()

    def render(self) -> bytes:
        """Return all metrics of all workers in Prometheus's text format."""
        return generate_latest(self._together())

    def page_for(self, accept: str) -> tuple[bytes, str]:
        """Return the same, and its type: OpenMetrics for who accepts that, as Prometheus does.

        Only that format has exemplars.
        """
        if _OPENMETRICS in accept:
            shown = self._exemplars.shown_in(self._together())
            page: bytes = openmetrics.generate_latest(shown)  # type: ignore[no-untyped-call]
            return page, openmetrics.CONTENT_TYPE_LATEST
        return self.render(), CONTENT_TYPE_LATEST

    def by_model(self, gauge: str) -> Mapping[str, float]:
        """Return a figure of the moment of all workers, by model; "" where it has none."""
        found: dict[str, float] = {}
        for family in self._together().collect():
            for sample in family.samples if family.name == gauge else ():
                model = sample.labels.get("model", "")
                found[model] = found.get(model, 0.0) + sample.value
        return found

    def _observe(self, histogram: Histogram, seconds: float, **labels: str) -> None:
        histogram.labels(**labels).observe(seconds)
        self._exemplars.note(histogram, seconds, labels)

    def _together(self) -> CollectorRegistry:
        if self._shared_folder is None:
            return self._registry
        _forget_dead_workers(self._shared_folder)
        together = CollectorRegistry()
        MultiProcessCollector(together, path=str(self._shared_folder))  # type: ignore[no-untyped-call]
        return together


def _forget_dead_workers(folder: Path) -> None:
    """Remove the gauges of workers that were killed: what they had in flight is gone.

    Their exemplars too, as there would be more with each.
    """
    for file in (*folder.glob("gauge_live*_*.db"), *folder.glob("exemplars_*.*")):
        if not _is_running(int(file.stem.rpartition("_")[2])):
            file.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
