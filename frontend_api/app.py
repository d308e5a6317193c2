"""The Quart application, built from its wiring; importing this does nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import cast

from quart import Quart, request

from frontend_api.service.generations import Generations
from frontend_api.service.requests import Requests
from frontend_api.service.tokens import Tokens
from frontend_api.web.completions import completion_routes
from frontend_api.web.connection import HttpConnection
from frontend_api.web.docs import docs_routes
from frontend_api.web.errors import install_error_handlers
from frontend_api.web.models import model_routes
from frontend_api.web.openapi import openapi_routes
from frontend_api.web.original import Handler, original_routes
from frontend_api.web.original_models import original_model_routes
from frontend_api.web.original_socket import original_socket_routes
from frontend_api.web.requests import request_routes
from frontend_api.web.scope import AsgiApp, RequestScope, record_of
from frontend_api.web.socket_connection import WRITE_TIMEOUT_KEY, SocketConnection
from frontend_api.web.status import status_routes
from frontend_api.web.tokens import token_routes
from frontend_api.wiring import Wiring


def create_app(wiring: Wiring) -> Quart:
    """Return an application that opens what it needs at start-up and closes it at the end."""
    settings = wiring.settings
    generations = Generations(wiring.catalogue, wiring.generator, wiring.telemetry, settings.triton)
    app = Quart("frontend_api", static_folder=None)
    # A doubled slash is another address: no redirect, whose body would not be the error object.
    app.url_map.merge_slashes = False
    app.asgi_http_class = HttpConnection
    app.asgi_websocket_class = SocketConnection
    app.config.update(
        MAX_CONTENT_LENGTH=settings.limits.max_body_bytes,
        BODY_TIMEOUT=settings.server.body_timeout_s,
        RESPONSE_TIMEOUT=None,
    )
    app.config[WRITE_TIMEOUT_KEY] = settings.server.write_timeout_s
    app.extensions["generations"] = generations
    install_error_handlers(app)
    app.register_blueprint(completion_routes(generations, settings, wiring.clock))
    app.register_blueprint(model_routes(generations))
    app.register_blueprint(
        status_routes(generations, wiring.telemetry, settings.observability, wiring.clock)
    )
    app.register_blueprint(token_routes(Tokens(wiring.catalogue, wiring.tokenizing)))
    _add_original_dialect(app, generations, wiring)
    requests = Requests(generations, wiring.peers)
    app.register_blueprint(request_routes(requests))
    app.register_blueprint(openapi_routes())
    app.register_blueprint(docs_routes())

    @app.before_request
    async def name_route() -> None:
        if request.url_rule is not None:
            record_of(cast(Mapping[str, object], request.scope)).route = request.url_rule.rule

    @app.while_serving
    async def run() -> AsyncGenerator[None, None]:
        async with wiring.running(), wiring.peers.listening(requests.act_here):
            yield

    guarded = RequestScope(
        cast(AsgiApp, app.asgi_app), wiring.telemetry, settings.server.write_timeout_s
    )
    app.asgi_app = guarded  # type: ignore[method-assign,assignment]
    return app


def _add_original_dialect(app: Quart, generations: Generations, wiring: Wiring) -> None:
    """Add its routes; bodies for OpenAI go to the routes that are there already."""
    chat, text = (
        cast(Handler, app.view_functions[f"completions.{name}"])
        for name in ("create_chat_completion", "create_completion")
    )
    app.register_blueprint(original_model_routes(generations))
    app.register_blueprint(original_routes(generations, wiring.settings, chat, text))
    app.register_blueprint(
        original_socket_routes(generations, wiring.telemetry, wiring.settings.server)
    )
