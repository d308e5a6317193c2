"""Metrics and logs: one observation and one line per request, none per token.

With several workers prometheus-client shares its numbers through files in the
folder that PROMETHEUS_MULTIPROC_DIR names; the parent process makes and removes it.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from frontend_api.domain.generation import Usage
from frontend_api.domain.keys import without_keys

# From a cached answer on a GPU to a long queue on a laptop.
LATENCY_BUCKETS_S: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640),
)
# From a large model on a laptop to a small one on a GPU.
TOKENS_PER_S_BUCKETS: Final = (1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280)


@dataclass(frozen=True, slots=True)
class GenerationRecord:
    """What is measured of one ended generation."""

    model: str
    outcome: str
    usage: Usage
    first_token_s: float | None
    duration_s: float


class _RequestMetrics:
    """One series for each route and status, whatever the request was about."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.count = Counter(
            "conch_http_requests", "HTTP requests answered", ("route", "status"), registry=registry
        )
        self.seconds = Histogram(
            "conch_http_request_duration_seconds",
            "Seconds from a request to the end of its answer",
            ("route",),
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.running = Gauge(
            "conch_http_requests_in_flight",
            "HTTP requests being answered",
            registry=registry,
            multiprocess_mode="livesum",
        )


class _GenerationMetrics:
    """One series for each model; only served models get this far, so they are few."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.count = Counter(
            "conch_generations", "Generations ended", ("model", "outcome"), registry=registry
        )
        self.running = Gauge(
            "conch_generations_in_flight",
            "Generations running",
            ("model",),
            registry=registry,
            multiprocess_mode="livesum",
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
        self.seconds = Histogram(
            "conch_generation_duration_seconds",
            "Seconds from a generation's start to its end",
            ("model",),
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )


# What the original service counted, by the routes that are asked for the same today.
ASKED_FOR: Final = {
    "/health": "health_check",
    "/readiness": "readiness_check",
    "/models": "models_list",
    "/v1/models": "models_list",
    "/models/<path:model_id>": "model_info",
    "/v1/models/<path:model_id>": "model_info",
    "/completions": "completions",
    "/v1/completions": "completions",
    "/chat/completions": "chat_completions",
    "/v1/chat/completions": "chat_completions",
    "/chat/ws": "chat_completions",
    "/chat/history/<session_id>": "history",
}


class _GeneratedText:
    """One of the original service's two families of figures about generated text."""

    def __init__(self, registry: CollectorRegistry, tokens: str, seconds: str, speed: str) -> None:
        self.tokens = Counter(tokens, "Tokens written in answers", registry=registry)
        self.seconds = Histogram(
            seconds,
            "Seconds from a request to the end of its answer",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.speed = Histogram(
            speed,
            "Tokens per second of an answer",
            buckets=TOKENS_PER_S_BUCKETS,
            registry=registry,
        )


class _OriginalMetrics:
    """The names that dashboards of the original service ask for; every dialect counts in them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = {
            name: Counter(f"{name}_requests", "Requests answered", registry=registry)
            for name in sorted(set(ASKED_FOR.values()))
        }
        self._errors = {
            name: Counter(f"{name}_errors", "Requests that ended with an error", registry=registry)
            for name in ("completions", "chat_completions")
        }
        self._generated = {
            "completions": _GeneratedText(
                registry,
                "completions_tokens",
                "completions_duration_seconds",
                "completions_tokens_per_second",
            ),
            "chat_completions": _GeneratedText(
                registry,
                "chat_generated_tokens",
                "chat_inference_duration_seconds",
                "chat_tokens_per_second",
            ),
        }

    def count(self, route: str, duration_s: float, has_failed: bool, tokens: int | None) -> None:
        """Count one request; `tokens` None when it generated nothing."""
        name = ASKED_FOR.get(route)
        if name is None:
            return
        self._requests[name].inc()
        if has_failed and name in self._errors:
            self._errors[name].inc()
        if tokens is not None and name in self._generated:
            generated = self._generated[name]
            generated.tokens.inc(tokens)
            generated.seconds.observe(duration_s)
            generated.speed.observe(tokens / duration_s if duration_s else 0.0)


class Telemetry:
    """The service's metrics, in a registry of their own."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, shared_folder: Path | None = None) -> None:
        """Count in this process, or together with the other workers that use `shared_folder`."""
        self._shared_folder = shared_folder
        # A creation time for each series would double the page, and no dashboard asks for it.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._requests = _RequestMetrics(self._registry)
        self._generations = _GenerationMetrics(self._registry)
        self._original = _OriginalMetrics(self._registry)

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
        self._requests.count.labels(route, str(status)).inc()
        self._requests.seconds.labels(route).observe(duration_s)
        self._original.count(route, duration_s, has_failed, tokens)

    def message_ended(
        self, route: str, duration_s: float, *, has_failed: bool, tokens: int | None
    ) -> None:
        """Count one request that came as a message of a WebSocket."""
        self._original.count(route, duration_s, has_failed, tokens)

    def generation_started(self, model: str) -> None:
        """Count one more generation in flight."""
        self._generations.running.labels(model).inc()

    def generation_ended(self, record: GenerationRecord) -> None:
        """Count one ended generation with its tokens and times."""
        metrics, model, usage = self._generations, record.model, record.usage
        metrics.running.labels(model).dec()
        metrics.count.labels(model, record.outcome).inc()
        metrics.tokens.labels(model, "prompt").inc(usage.prompt_tokens)
        metrics.tokens.labels(model, "completion").inc(usage.completion_tokens)
        metrics.seconds.labels(model).observe(record.duration_s)
        if record.first_token_s is not None:
            metrics.first_token_seconds.labels(model).observe(record.first_token_s)

    def render(self) -> bytes:
        """Return all metrics of all workers in Prometheus's text format."""
        if self._shared_folder is None:
            return generate_latest(self._registry)
        _forget_dead_workers(self._shared_folder)
        together = CollectorRegistry()
        MultiProcessCollector(together, path=str(self._shared_folder))  # type: ignore[no-untyped-call]
        return generate_latest(together)


def _forget_dead_workers(folder: Path) -> None:
    """Remove the gauges of workers that were killed: what they had in flight is gone."""
    for file in folder.glob("gauge_live*_*.db"):
        if not _is_running(int(file.stem.rpartition("_")[2])):
            file.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def redacting(
    renderer: structlog.typing.Processor, secrets: Sequence[str]
) -> structlog.typing.Processor:
    """Return the renderer with every key, and each of these secrets, hidden in what it writes."""

    def render(
        logger: structlog.typing.WrappedLogger, name: str, event: structlog.typing.EventDict
    ) -> str:
        line = str(renderer(logger, name, event))
        for secret in secrets:
            line = line.replace(secret, "***")
        return without_keys(line)

    return render


def configure_logging(level: str, log_format: str, secrets: Sequence[str] = ()) -> None:
    """Send our log lines and those of the libraries to stderr, in one format.

    secrets: what must not be in them, beside what looks like a key.
    """
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processor=redacting(renderer, secrets)
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Its own lines at INFO say when a worker starts and stops; ours say the same.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
