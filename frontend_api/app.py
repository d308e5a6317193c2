"""The Quart application, built from its wiring; importing this does nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import cast

from quart import Quart, request

from frontend_api.service.generations import Generations
from frontend_api.web.completions import completion_routes
from frontend_api.web.connection import HttpConnection
from frontend_api.web.errors import install_error_handlers
from frontend_api.web.models import model_routes
from frontend_api.web.scope import AsgiApp, RequestScope, record_of
from frontend_api.web.status import status_routes
from frontend_api.wiring import Wiring


def create_app(wiring: Wiring) -> Quart:
    """Return an application that opens what it needs at start-up and closes it at the end."""
    settings = wiring.settings
    generations = Generations(wiring.catalogue, wiring.generator, wiring.telemetry, settings.triton)
    app = Quart("frontend_api", static_folder=None)
    app.asgi_http_class = HttpConnection
    app.config.update(
        MAX_CONTENT_LENGTH=settings.limits.max_body_bytes,
        BODY_TIMEOUT=settings.server.body_timeout_s,
        RESPONSE_TIMEOUT=None,
    )
    app.extensions["generations"] = generations
    install_error_handlers(app)
    app.register_blueprint(completion_routes(generations, settings, wiring.clock))
    app.register_blueprint(model_routes(generations))
    app.register_blueprint(
        status_routes(generations, wiring.telemetry, settings.observability, wiring.clock)
    )

    @app.before_request
    async def name_route() -> None:
        if request.url_rule is not None:
            record_of(cast(Mapping[str, object], request.scope)).route = request.url_rule.rule

    @app.while_serving
    async def run() -> AsyncGenerator[None, None]:
        async with wiring.running():
            yield

    guarded = RequestScope(
        cast(AsgiApp, app.asgi_app), wiring.telemetry, settings.server.write_timeout_s
    )
    app.asgi_app = guarded  # type: ignore[method-assign,assignment]
    return app
