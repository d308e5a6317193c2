"""The original service's metrics, by their names; every dialect counts in them."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from frontend_api.telemetry.families import LATENCY_BUCKETS_S, TOKENS_PER_S_BUCKETS

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


class OriginalMetrics:
    """The names that dashboards of the original service ask for; every dialect counts in them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = {
            name: Counter(f"{name}_requests", "Requests answered", registry=registry)
            for name in sorted(set(ASKED_FOR.values()))
        }
        self.rate_limit_allowed = Counter(
            "rate_limit_allowed", "Requests that a limit let pass", registry=registry
        )
        self.rate_limit_blocked = Counter(
            "rate_limit_blocked", "Requests that a limit refused", registry=registry
        )
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
