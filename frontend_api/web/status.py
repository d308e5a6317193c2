"""GET /health, GET /readiness and the metrics."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
from quart import Blueprint, Response

from frontend_api.ports import Clock
from frontend_api.service.generations import Generations
from frontend_api.settings import ObservabilitySettings
from frontend_api.telemetry import Telemetry
from frontend_api.web.answer_types import Health, Readiness, Unreadiness
from frontend_api.web.documented import RouteDoc, documented


def status_routes(
    generations: Generations,
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
        return _json({"status": "ok", "uptime": uptime, "timestamp": timestamp()})

    @blueprint.get("/readiness")
    @documented(RouteDoc(tag="Status", answers={200: Readiness, 503: Unreadiness}))
    async def readiness() -> Response:
        """Say whether a request would be answered; 503 with the reason if not."""
        state = generations.readiness()
        body = {
            "status": "ready" if state.is_ready else "not_ready",
            "models_available": state.models_available,
            "timestamp": timestamp(),
        }
        if state.is_ready:
            return _json(body)
        response = _json({**body, "reason": state.reason}, status=503)
        response.headers["retry-after"] = "1"
        return response

    @documented(RouteDoc(tag="Status", media={"text/plain": str}))
    async def metrics() -> Response:
        """Show the counters of all workers."""
        return Response(telemetry.render(), content_type=telemetry.content_type)

    if settings.enable_metrics:
        blueprint.get(settings.metrics_path)(metrics)

    def timestamp() -> str:
        return datetime.fromtimestamp(clock.now(), UTC).isoformat()

    return blueprint


def _json(document: object, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status=status, mimetype="application/json")
