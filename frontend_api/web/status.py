"""GET /health, GET /readiness and the metrics."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

import orjson
from quart import Blueprint, Response, request

from frontend_api.ports import Clock, Store
from frontend_api.service.generations import Generations
from frontend_api.settings import ObservabilitySettings
from frontend_api.telemetry import Telemetry
from frontend_api.web.answer_types import Health, Readiness, Unreadiness
from frontend_api.web.documented import RouteDoc, documented

# Load balancers wait about a second for their probes.
_PING_S: Final = 0.5
# What a scrape counts as, wherever the metrics are: recording rules leave it out by this name.
METRICS_ROUTE: Final = "/metrics"
METRICS_ENDPOINT: Final = "status.metrics"
_METRICS: Final = {"text/plain": str, "application/openmetrics-text": str}


def status_routes(
    generations: Generations,
    store: Store,
    telemetry: Telemetry,
    settings: ObservabilitySettings,
    clock: Clock,
) -> Blueprint:
    """Return the routes that operators and load balancers ask."""
    blueprint = Blueprint("status", __name__)
    started_at = clock.monotonic()

    @blueprint.get("/health")
    @documented(RouteDoc(tag="Status", answers={200: Health}))
    async def health() -> Response:
        """Say that this process answers."""
        uptime = round(clock.monotonic() - started_at, 3)
        return _json({"status": "ok", "uptime": uptime, "timestamp": _timestamp(clock)})

    @blueprint.get("/readiness")
    @documented(RouteDoc(tag="Status", answers={200: Readiness, 503: Unreadiness}))
    async def readiness() -> Response:
        """Say whether a request would be answered; 503 with the reason if not.

        Without the store, chats that are not to be stored are still answered: that is ready.
        """
        state = generations.readiness()
        body = {
            "status": "ready" if state.is_ready else "not_ready",
            "models_available": state.models_available,
            "store": await _store_state(store),
            "timestamp": _timestamp(clock),
        }
        return _json(body) if state.is_ready else _unready({**body, "reason": state.reason})

    @documented(RouteDoc(tag="Status", media=_METRICS))
    async def metrics() -> Response:
        """Show the counters of all workers; as OpenMetrics also a trace of each bucket."""
        page, content_type = telemetry.page_for(request.headers.get("accept", ""))
        return Response(page, content_type=content_type)

    if settings.enable_metrics:
        blueprint.get(settings.metrics_path)(metrics)

    return blueprint


def _timestamp(clock: Clock) -> str:
    return datetime.fromtimestamp(clock.now(), UTC).isoformat()


async def _store_state(store: Store) -> str:
    """A probe must not wait for a database that hangs."""
    try:
        answers = await asyncio.wait_for(store.ping(), _PING_S)
    except TimeoutError:
        answers = False
    return "ok" if answers else "unavailable"


def _unready(document: object) -> Response:
    response = _json(document, status=503)
    response.headers["retry-after"] = "1"
    return response


def _json(document: object, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status=status, mimetype="application/json")
