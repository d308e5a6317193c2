"""What the view shows, worked out from two looks at a server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scripts.watching.samples import Change, Labels, Match, any_labels, of_model, total
from scripts.watching.server import Look, ModelStatus

# What is asked to see how the server is, by this view as well, is not its work.
_WATCHING: Final = ("/health", "/readiness", "/admin/status", "/metrics")
_FIRST: Final = "conch_time_to_first_token_seconds"
_STORE: Final = "conch_store_operation_duration_seconds"
_TIMES: Final[Mapping[str, str]] = {
    "first token": _FIRST,
    "between tokens": "conch_time_between_tokens_seconds",
    "in line": "conch_queue_duration_seconds",
    "generation": "conch_generation_duration_seconds",
    "HTTP request": "conch_http_request_duration_seconds",
}


@dataclass(frozen=True, slots=True)
class Traffic:
    """Throughput, and what is in hand. error_share: of statuses 500 and above."""

    requests_per_s: float
    error_share: float
    generations_per_s: float
    written_per_s: float
    read_per_s: float
    cached_share: float
    refused_per_s: float
    running: int
    waiting: int
    http_in_flight: int
    sockets: int


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds that half, 95 % and 99 % stay below; None where nothing was measured."""

    name: str
    half: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One model."""

    name: str
    state: str
    reason: str
    running: int
    waiting: int
    written_per_s: float
    first_p95: float | None
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """The database. keys: how many are in each state; None while it does not answer."""

    state: str
    writes_waiting: int
    operations_per_s: float
    failed_share: float
    p95: float | None
    disk_free_share: float | None
    keys: Mapping[str, int] | None


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """The API's processes, all together. cpu: seconds of processor time in a second."""

    cpu: float
    memory_bytes: float
    open_files: int
    loop_lag_p99: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything on the screen. seconds: between the two looks; reason: why it is not ready."""

    seconds: float
    reason: str
    version: str
    traffic: Traffic
    times: Sequence[Times]
    models: Sequence[ModelFigures]
    store: StoreFigures
    process: ProcessFigures


def figures_of(before: Look, after: Look, metrics_path: str) -> Figures:
    """Return what happened between two looks, and how it was at the second."""
    change = Change(before.page, after.page, after.at - before.at)
    asked = _not_watching(metrics_path)
    status = after.status
    return Figures(
        seconds=change.seconds,
        reason=status.reason,
        version=status.version,
        traffic=_traffic(change, after, asked),
        times=[_times(change, name, histogram, asked) for name, histogram in _TIMES.items()],
        models=[_model(change, model, after) for model in status.models],
        store=_store(change, after),
        process=ProcessFigures(
            cpu=change.rate("conch_process_cpu_seconds_total"),
            memory_bytes=total(after.page, "conch_process_resident_memory_bytes"),
            open_files=round(total(after.page, "conch_process_open_fds")),
            loop_lag_p99=change.quantile(0.99, "conch_event_loop_lag_seconds"),
        ),
    )


def _traffic(change: Change, after: Look, asked: Match) -> Traffic:
    requests = "conch_http_requests_total"
    read = change.rate("conch_tokens_total", lambda labels: labels["kind"] == "prompt")
    cached = change.rate("conch_tokens_total", lambda labels: labels["kind"] == "cached")
    failed = change.growth(requests, lambda labels: asked(labels) and labels["status"] >= "500")
    refused = ("conch_limit_refused_total", "conch_queue_refused_total")
    return Traffic(
        requests_per_s=change.rate(requests, asked),
        error_share=_share(failed, change.growth(requests, asked)),
        generations_per_s=change.rate("conch_generations_total"),
        written_per_s=change.rate(
            "conch_tokens_total", lambda labels: labels["kind"] == "completion"
        ),
        read_per_s=read,
        cached_share=_share(cached, read),
        refused_per_s=sum(change.rate(name) for name in refused),
        running=sum(running for running, _ in after.status.work.values()),
        waiting=sum(waiting for _, waiting in after.status.work.values()),
        # Without the look itself.
        http_in_flight=max(0, round(total(after.page, "conch_http_requests_in_flight")) - 1),
        sockets=round(total(after.page, "conch_websocket_connections")),
    )


def _times(change: Change, name: str, histogram: str, asked: Match) -> Times:
    match = asked if histogram.startswith("conch_http_") else any_labels
    half, p95, p99 = (change.quantile(share, histogram, match) for share in (0.5, 0.95, 0.99))
    return Times(name, half, p95, p99)


def _model(change: Change, model: ModelStatus, after: Look) -> ModelFigures:
    running, waiting = after.status.work.get(model.name, (0, 0))
    return ModelFigures(
        name=model.name,
        state=model.state,
        reason=model.reason,
        running=running,
        waiting=waiting,
        written_per_s=change.rate(
            "conch_tokens_total",
            lambda labels: labels["model"] == model.name and labels["kind"] == "completion",
        ),
        first_p95=change.quantile(0.95, _FIRST, of_model(model.name)),
        memory_bytes=model.memory_bytes,
    )


def _store(change: Change, after: Look) -> StoreFigures:
    failed = change.growth(f"{_STORE}_count", lambda labels: labels["outcome"] == "failed")
    size = total(after.page, "conch_disk_size_bytes")
    return StoreFigures(
        state=after.status.store,
        writes_waiting=after.status.writes_waiting,
        operations_per_s=change.rate(f"{_STORE}_count"),
        failed_share=_share(failed, change.growth(f"{_STORE}_count")),
        p95=change.quantile(0.95, _STORE),
        disk_free_share=total(after.page, "conch_disk_free_bytes") / size if size else None,
        keys=after.status.keys,
    )


def _not_watching(metrics_path: str) -> Match:
    routes = {*_WATCHING, metrics_path}

    def match(labels: Labels) -> bool:
        return labels["route"] not in routes

    return match


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
