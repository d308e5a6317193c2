"""The Quart application, built from its wiring; importing this does nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from quart import Quart, request

from frontend_api.service.admission import Gates
from frontend_api.service.audit import Audit
from frontend_api.service.budgets import Budgets
from frontend_api.service.copies import Copies
from frontend_api.service.generations import Generations
from frontend_api.service.histories import Histories
from frontend_api.service.idempotency import Idempotency, Patience
from frontend_api.service.key_checks import KeyChecks
from frontend_api.service.keys import Keys, static_keys
from frontend_api.service.line import Line
from frontend_api.service.log_level import LogLevel
from frontend_api.service.model_loading import ModelLoading
from frontend_api.service.request_limits import RequestLimits
from frontend_api.service.requests import Requests
from frontend_api.service.responses import Responses
from frontend_api.service.screening import Screened
from frontend_api.service.self_watch import SelfWatch
from frontend_api.service.served_models import ServedModels
from frontend_api.service.sessions import Sessions
from frontend_api.service.status import ServerStatus
from frontend_api.service.titles import Titles
from frontend_api.service.tokens import Tokens
from frontend_api.service.usage import UsageCount
from frontend_api.settings import Settings
from frontend_api.web.admin_status import admin_status_routes
from frontend_api.web.audit import audit_routes, install_audit
from frontend_api.web.body import DEFAULT_MODEL_KEY
from frontend_api.web.completions import completion_routes
from frontend_api.web.connection import HttpConnection
from frontend_api.web.conversation_extras import (
    IMPORT_PATH,
    conversation_branch_routes,
    conversation_copy_routes,
    conversation_search_routes,
)
from frontend_api.web.conversations import conversation_item_routes, conversation_routes
from frontend_api.web.cors import install_cors
from frontend_api.web.docs import docs_routes
from frontend_api.web.edge_limits import install_address_limit, install_key_limit
from frontend_api.web.errors import install_error_handlers
from frontend_api.web.guard import install_guard
from frontend_api.web.idempotency import install_idempotency
from frontend_api.web.key_admin import key_routes
from frontend_api.web.log_level_admin import log_level_routes
from frontend_api.web.model_admin import model_admin_routes
from frontend_api.web.models import model_routes
from frontend_api.web.openapi import openapi_routes
from frontend_api.web.original import Handler, OpenAiHandlers, original_routes
from frontend_api.web.original_models import original_model_routes
from frontend_api.web.original_sessions import original_session_routes
from frontend_api.web.original_socket import original_socket_routes
from frontend_api.web.original_turns import OriginalTurns
from frontend_api.web.rate_headers import install_rate_headers
from frontend_api.web.requests import request_routes
from frontend_api.web.response_socket import response_socket_routes
from frontend_api.web.responses import response_routes
from frontend_api.web.scope import AsgiApp, RequestScope, record_of
from frontend_api.web.security_headers import install_security_headers
from frontend_api.web.sized_request import sized_request
from frontend_api.web.socket_connection import (
    MESSAGE_RATE_KEY,
    WRITE_TIMEOUT_KEY,
    SocketConnection,
)
from frontend_api.web.status import METRICS_ENDPOINT, METRICS_ROUTE, status_routes
from frontend_api.web.tokens import token_routes
from frontend_api.web.usage import usage_admin_routes, usage_routes
from frontend_api.web.webapp import webapp_routes
from frontend_api.wiring import Wiring


@dataclass(frozen=True, slots=True)
class _UseCases:
    """What the routes call."""

    audit: Audit
    loading: ModelLoading
    generations: Generations
    line: Line
    budgets: Budgets
    usage: UsageCount
    responses: Responses
    sessions: Sessions
    copies: Copies
    titles: Titles
    idempotency: Idempotency
    requests: Requests
    tokens: Tokens


def create_app(wiring: Wiring) -> Quart:
    """Return an application that opens what it needs at start-up and closes it at the end."""
    settings = wiring.settings
    static = static_keys(settings.security.api_keys)
    checks = KeyChecks(wiring.store, wiring.clock, static)
    use = _use_cases(wiring)
    app = _bare_app(settings)
    app.extensions["generations"] = use.generations
    install_security_headers(app)
    install_error_handlers(app)
    _add_routes(app, use, wiring)
    _add_original_dialect(app, use, wiring)
    log_level = LogLevel(wiring.level)
    app.register_blueprint(log_level_routes(log_level))
    _add_keys_and_status(app, use, wiring, Keys(wiring.store, wiring.clock, static, checks))

    _install_guards(app, use, wiring, checks)

    @app.while_serving
    async def run() -> AsyncGenerator[None, None]:
        async with (
            # The first, so that what the others do at their end is still sent.
            wiring.telemetry.tracing.running(),
            wiring.running(),
            wiring.store.running(),
            wiring.rules.running(),
            wiring.peers.listening(use.requests.act_here),
            use.audit.running(),
            use.budgets.open(),
            use.usage.open(),
            _self_watch(wiring).running(),
            log_level.running(),
            use.loading.running(),
            use.line.running(),
            use.responses.running(),
            use.titles.running(),
        ):
            yield

    guarded = RequestScope(
        cast(AsgiApp, app.asgi_app), wiring.telemetry, settings.server.write_timeout_s
    )
    app.asgi_app = guarded  # type: ignore[method-assign,assignment]
    return app


def _add_keys_and_status(app: Quart, use: _UseCases, wiring: Wiring, keys: Keys) -> None:
    app.register_blueprint(key_routes(keys))
    status = ServerStatus(
        use.generations, wiring.store, keys, telemetry=wiring.telemetry, clock=wiring.clock
    )
    app.register_blueprint(admin_status_routes(status))


def _self_watch(wiring: Wiring) -> SelfWatch:
    settings = wiring.settings
    return SelfWatch(
        wiring.catalogue,
        wiring.telemetry,
        on_disk=settings.store.sqlite_path,
        certificate=settings.server.tls_certificate,
    )


def _install_guards(app: Quart, use: _UseCases, wiring: Wiring, checks: KeyChecks) -> None:
    """Stand before every route, in this order."""
    settings = wiring.settings

    @app.before_request
    async def name_route() -> None:
        if request.url_rule is not None:
            record = record_of(cast(Mapping[str, object], request.scope))
            is_scrape = request.endpoint == METRICS_ENDPOINT
            record.route = METRICS_ROUTE if is_scrape else request.url_rule.rule

    # Before the guard: a browser asks whether a page may ask, and has no key to ask that with.
    install_cors(app, frozenset(settings.security.allowed_origins))
    install_address_limit(app, settings, wiring.telemetry)
    install_guard(app, checks, settings)
    install_key_limit(app, settings, wiring.telemetry)
    install_rate_headers(app, use.budgets, wiring.clock)
    install_audit(app, use.audit, settings)
    # After the guard, which tells owners apart.
    install_idempotency(app, use.idempotency)


def _bare_app(settings: Settings) -> Quart:
    """Return Quart with our connections and limits, without routes."""
    app = Quart("frontend_api", static_folder=None)
    # A doubled slash is another address: no redirect, whose body would not be the error object.
    app.url_map.merge_slashes = False
    # Quart looks at every hook, for every request, whether it is a coroutine function.
    app.ensure_async = lru_cache(maxsize=256)(app.ensure_async)  # type: ignore[method-assign]
    app.request_class = sized_request({IMPORT_PATH: settings.limits.max_import_bytes})
    app.asgi_http_class = HttpConnection
    app.asgi_websocket_class = SocketConnection
    app.config.update(
        MAX_CONTENT_LENGTH=settings.limits.max_body_bytes,
        BODY_TIMEOUT=settings.server.body_timeout_s,
        RESPONSE_TIMEOUT=None,
    )
    app.config[WRITE_TIMEOUT_KEY] = settings.server.write_timeout_s
    app.config[DEFAULT_MODEL_KEY] = settings.models.default
    app.config[MESSAGE_RATE_KEY] = settings.limits.websocket_messages_per_minute
    return app


def _use_cases(wiring: Wiring) -> _UseCases:
    settings, store, clock = wiring.settings, wiring.store, wiring.clock
    loading = ModelLoading(wiring.catalogue, wiring.control, settings.models, clock)
    named = settings.models
    models = ServedModels(wiring.catalogue, loading, named.aliases, named.default)
    line = Line(wiring.lines, settings.limits, wiring.telemetry)
    budgets = Budgets(store, clock, wiring.telemetry, lease_s=settings.store.lease_s)
    usage = UsageCount(store, clock)
    # Who waits in line has paid for it; what is used is counted of what the model was asked for.
    security = settings.security
    static = [each.key.get_secret_value() for each in security.api_keys]
    audit = Audit(store, clock, days=security.audit_days, hidden=static)
    gates = Gates([audit, RequestLimits(settings.limits), budgets], [loading, line, usage])
    generator = Screened(wiring.generator, wiring.tokenizing, wiring.rules, audit.answer_refused)
    generations = Generations(models, generator, wiring.telemetry, settings.triton, gates)
    titles = Titles(
        generations, store, clock, wiring.telemetry, is_enabled=settings.store.title_by_model
    )
    responses = Responses(
        generations,
        store,
        wiring.tokenizing,
        clock=clock,
        settings=settings,
        telemetry=wiring.telemetry,
        on_end=titles.answered,
    )
    sessions = Sessions(store, clock, settings.limits, responses)
    patience = Patience(settings.limits.idempotency_ttl_seconds, settings.triton.total_timeout_s)
    return _UseCases(
        audit=audit,
        loading=loading,
        generations=generations,
        line=line,
        budgets=budgets,
        usage=usage,
        responses=responses,
        sessions=sessions,
        copies=Copies(sessions, clock),
        titles=titles,
        idempotency=Idempotency(store, clock, patience),
        requests=Requests(generations, wiring.peers),
        tokens=Tokens(models, wiring.tokenizing),
    )


def _add_routes(app: Quart, use: _UseCases, wiring: Wiring) -> None:
    settings, clock = wiring.settings, wiring.clock
    app.register_blueprint(completion_routes(use.generations, use.responses, settings, clock))
    app.register_blueprint(model_routes(use.generations))
    app.register_blueprint(model_admin_routes(use.loading))
    app.register_blueprint(
        status_routes(
            use.generations, wiring.store, wiring.telemetry, settings.observability, clock
        )
    )
    find_item, server = use.sessions.item, settings.server
    app.register_blueprint(response_routes(use.responses, find_item, wiring.settings))
    app.register_blueprint(
        response_socket_routes(use.responses, find_item, server, wiring.telemetry)
    )
    app.register_blueprint(conversation_routes(use.sessions))
    app.register_blueprint(conversation_item_routes(use.sessions))
    app.register_blueprint(conversation_branch_routes(use.sessions, use.copies))
    app.register_blueprint(conversation_search_routes(use.sessions))
    app.register_blueprint(conversation_copy_routes(use.copies))
    app.register_blueprint(token_routes(use.tokens))
    app.register_blueprint(request_routes(use.requests))
    app.register_blueprint(usage_routes(use.usage, use.budgets))
    app.register_blueprint(usage_admin_routes(use.usage))
    app.register_blueprint(audit_routes(use.audit))
    app.register_blueprint(openapi_routes())
    app.register_blueprint(docs_routes())
    app.register_blueprint(webapp_routes())


def _add_original_dialect(app: Quart, use: _UseCases, wiring: Wiring) -> None:
    """Add its routes; bodies for OpenAI go to the routes that are there already."""
    chat, text = (
        cast(Handler, app.view_functions[f"completions.{name}"])
        for name in ("create_chat_completion", "create_completion")
    )
    histories = Histories(use.sessions)
    limits = RequestLimits(wiring.settings.limits)
    turns = OriginalTurns(use.generations, use.responses, histories, limits)
    openai = OpenAiHandlers(chat, text)
    app.register_blueprint(original_model_routes(use.generations))
    app.register_blueprint(original_session_routes(use.sessions, histories))
    app.register_blueprint(original_routes(use.generations, turns, wiring.settings, openai))
    app.register_blueprint(original_socket_routes(turns, wiring.telemetry, wiring.settings))
