"""CORS: pages of the allowed origins may use the API, and read what it says of limits and ids.

quart-cors would do it but for WebSockets: it turns away every client that names no origin, and
those are all that are no browsers. Allowing an origin lets nobody in: a page still needs a key.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from quart import Quart, Response, request

from frontend_api.domain.errors import Forbidden

METHODS: Final = ("DELETE", "GET", "POST", "PUT")
# What the API reads, and what OpenAI's clients send along.
_HEADERS: Final = re.compile(
    r"accept|authorization|cache-control|content-type|idempotency-key|last-event-id|x-request-id"
    r"|x-client-request-id|traceparent|tracestate|(?:openai|x-stainless)-[a-z-]{1,40}",
    re.ASCII,
)
_RATES: Final = tuple(
    f"x-ratelimit-{figure}-{what}"
    for figure in ("limit", "remaining", "reset")
    for what in ("requests", "tokens")
)
# Else a page would see but the status and a few plain headers.
EXPOSED: Final = (
    *("x-request-id", "openai-processing-ms", "retry-after", "idempotent-replayed"),
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
    *_RATES,
)
_MAX_AGE_S: Final = "600"
_MAX_HEADERS: Final = 64


def install_cors(app: Quart, origins: Collection[str]) -> None:
    """Answer preflights, before any guard, and tell browsers what allowed pages may read."""
    if not origins:
        return

    @app.before_request
    async def meet_preflight() -> Response | None:
        if not _is_preflight():
            return None
        if not _is_allowed(origins):
            raise Forbidden(
                "This page may not use the API: its origin is not allowed.",
                code="origin_not_allowed",
            )
        return Response(status=204, headers=_permissions())

    @app.after_request
    async def tell_page(response: Response) -> Response:
        response.headers.add("vary", "origin")
        if _is_allowed(origins):
            response.headers["access-control-allow-origin"] = request.headers["origin"]
            response.headers["access-control-expose-headers"] = ", ".join(EXPOSED)
        return response


def _is_preflight() -> bool:
    asked = request.headers
    return (
        request.method == "OPTIONS"
        and "origin" in asked
        and "access-control-request-method" in asked
    )


def _is_allowed(origins: Collection[str]) -> bool:
    given = request.headers.getlist("origin")
    return len(given) == 1 and given[0].lower() in origins


def _permissions() -> dict[str, str]:
    asked = request.headers.get("access-control-request-headers", "").lower().split(",")
    names = [name.strip() for name in asked[:_MAX_HEADERS]]
    return {
        "access-control-allow-methods": ", ".join(METHODS),
        "access-control-allow-headers": ", ".join(filter(_HEADERS.fullmatch, names)),
        "access-control-max-age": _MAX_AGE_S,
    }
