"""Conch's own metrics, grouped by what their series are for.

No label has values without bound: routes are rules, models are served ones.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# From a cached answer on a GPU to a long queue on a laptop.
LATENCY_BUCKETS_S: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640),
)
# From a wafer to a large model on a laptop.
TOKEN_BUCKETS_S: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075),
    *(0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5),
)
# From a row of a local file to a replica set that elects a new primary.
STORE_BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
# From a large model on a laptop to a small one on a GPU.
TOKENS_PER_S_BUCKETS: Final = (1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280)


def _gauge(registry: CollectorRegistry, name: str, text: str, *labels: str) -> Gauge:
    """Return a figure of the moment, that of all living workers together."""
    return Gauge(name, text, labels, registry=registry, multiprocess_mode="livesum")


class RequestMetrics:
    """One series for each route and status, whatever the request was about."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.count = Counter(
            "conch_http_requests",
            "HTTP requests, and messages of WebSockets, answered",
            ("route", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "conch_http_request_duration_seconds",
            "Seconds from a request to the end of its answer",
            ("route",),
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.running = _gauge(
            registry, "conch_http_requests_in_flight", "HTTP requests being answered"
        )


class GenerationMetrics:
    """One series for each model; only served models get this far, so they are few."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.count = Counter(
            "conch_generations", "Generations ended", ("model", "outcome"), registry=registry
        )
        self.running = _gauge(
            registry, "conch_generations_in_flight", "Generations running", "model"
        )
        self.tokens = Counter(
            "conch_tokens", "Tokens read and written", ("model", "kind"), registry=registry
        )
        self.first_token_seconds = Histogram(
            "conch_time_to_first_token_seconds",
            "Seconds from a generation's start to its first token",
            ("model",),
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.between_tokens_seconds = Histogram(
            "conch_time_between_tokens_seconds",
            "Mean seconds from one token of a generation to its next",
            ("model",),
            buckets=TOKEN_BUCKETS_S,
            registry=registry,
        )
        self.tokens_per_second = Histogram(
            "conch_generation_tokens_per_second",
            "Tokens per second of a generation, from its first token on",
            ("model",),
            buckets=TOKENS_PER_S_BUCKETS,
            registry=registry,
        )
        self.seconds = Histogram(
            "conch_generation_duration_seconds",
            "Seconds from a generation's start to its end",
            ("model",),
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )


class LineMetrics:
    """One series for each model."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.waiting = _gauge(
            registry, "conch_queue_length", "Generations in line before a model", "model"
        )
        self.seconds = Histogram(
            "conch_queue_duration_seconds",
            "Seconds in line, of those that had to wait",
            ("model",),
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.refused = Counter(
            "conch_queue_refused",
            "Generations that did not get to their model",
            ("model", "code"),
            registry=registry,
        )


class WaitingMetrics:
    """What is put off until the database answers, or the model has nothing else to do."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.writes = _gauge(
            registry,
            "conch_store_writes_waiting",
            "Writes kept in memory until the database answers",
        )
        self.titles = _gauge(
            registry, "conch_titles_waiting", "Sessions that wait for a title by the model"
        )


class LimitMetrics:
    """One series for each limit."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.refused = Counter(
            "conch_limit_refused",
            "Requests that a limit of a key or an address refused",
            ("limit",),
            registry=registry,
        )


class StoreMetrics:
    """The database, whatever is asked of it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.seconds = Histogram(
            "conch_store_operation_duration_seconds",
            "Seconds of one operation of the database",
            ("outcome",),
            buckets=STORE_BUCKETS_S,
            registry=registry,
        )


class ConnectionMetrics:
    """WebSockets, and views of answers that are kept here."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sockets = _gauge(registry, "conch_websocket_connections", "WebSockets open")
        self.resumed = Counter(
            "conch_stream_resumes", "Streams of stored answers taken up again", registry=registry
        )


class ModelMetrics:
    """The models as the workers see them: the worst view counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.state = Gauge(
            "conch_model_state",
            "1 for the state that a model is in",
            ("model", "state"),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.load_seconds = Gauge(
            "conch_model_load_seconds",
            "Seconds that the last load of a model took",
            ("model",),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.memory_bytes = Gauge(
            "conch_model_memory_bytes",
            "Resident memory of a model's process",
            ("model",),
            registry=registry,
            multiprocess_mode="livemax",
        )


class ProcessMetrics:
    """The API's own processes, all together."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.memory_bytes = _gauge(
            registry, "conch_process_resident_memory_bytes", "Resident memory of the API"
        )
        self.open_files = _gauge(
            registry, "conch_process_open_fds", "Files and sockets that the API has open"
        )
        self.cpu_seconds = Counter(
            "conch_process_cpu_seconds", "Processor time of the API", registry=registry
        )
        self.loop_lag_seconds = Histogram(
            "conch_event_loop_lag_seconds",
            "How late an event loop wakes, looked at once a second",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )


class HostMetrics:
    """What is around the API's processes, which all see the same."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.disk_free_bytes = Gauge(
            "conch_disk_free_bytes",
            "Room on the disk of the SQLite file, or of the working folder",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self.disk_size_bytes = Gauge(
            "conch_disk_size_bytes",
            "Size of that disk",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.certificate_end_seconds = Gauge(
            "conch_tls_certificate_end_seconds",
            "When the certificate in use ends, in seconds since 1970; 0 without TLS",
            registry=registry,
            multiprocess_mode="livemin",
        )
