"""The guard: nothing but what is public is answered before it has found out who asks.

How it works: it stands before every route, of HTTP and of WebSockets, those that do not exist
included. It checks the key, tells the rest of the program whose it is, and checks its scope. A
WebSocket is accepted here, because its key may come with a subprotocol, which must be answered,
or with its first message. Each further message is taken only while the key is good.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final, cast

from quart import Quart, Response, request, websocket

from frontend_api.domain.errors import Forbidden, ServiceError, Unauthenticated
from frontend_api.domain.keys import SCOPES
from frontend_api.service.callers import Bound, Caller, set_caller
from frontend_api.service.key_checks import KeyChecks
from frontend_api.service.keys import default_limits
from frontend_api.settings import Settings, is_loopback
from frontend_api.web.access import access_to
from frontend_api.web.addresses import client_address, household, networks
from frontend_api.web.credentials import (
    chosen_protocol,
    is_for_loopback,
    is_from_allowed_page,
    key_of_message,
    presented_key,
)
from frontend_api.web.errors import error_json, remember_error
from frontend_api.web.original_events import error_text
from frontend_api.web.original_socket import ROUTE as ORIGINAL_SOCKET
from frontend_api.web.owner import KEY_ID_KEY, OWNER_KEY, owner_of
from frontend_api.web.pages import Pages
from frontend_api.web.response_exchange import error_message
from frontend_api.web.scope import Scope, record_of
from frontend_api.web.socket_connection import POLICY_VIOLATION, RECHECK_KEY

_WITHOUT_ADMIN: Final = tuple(scope for scope in SCOPES if scope != "admin")


def install_guard(app: Quart, checks: KeyChecks, settings: Settings) -> None:
    """Stand before every route of the application."""
    guard = _Guard(checks, settings)
    app.before_request(guard.meet_request)
    app.before_websocket(guard.meet_socket)


class _Guard:
    """Decides about each request and each connection."""

    def __init__(self, checks: KeyChecks, settings: Settings) -> None:
        self._checks = checks
        self._has_keys = settings.security.enable_auth
        self._default_limits = default_limits(settings.limits)
        self._origins = frozenset(settings.security.allowed_origins)
        self._is_local = is_loopback(settings.server.host)
        self._pages = Pages(settings)
        self._proxies = networks(settings.security.trusted_proxies)
        self._patience_s = settings.server.body_timeout_s

    async def meet_request(self) -> None:
        """Let the request pass; raises Unauthenticated, Forbidden or StoreLost."""
        scope = cast(Scope, request.scope)
        if _is_public(request.endpoint):
            set_caller(Caller(scopes=()))
            return
        caller = await self._caller(scope, presented_key(scope))
        record_of(scope).key_id = caller.key_id
        self._let_in(caller, scope, request.endpoint)

    async def meet_socket(self) -> Response | None:
        """Let the connection pass, accepted; an answer ends it."""
        scope = cast(Scope, websocket.scope)
        if not is_from_allowed_page(scope, self._origins):
            raise Forbidden(
                "This page may not open WebSockets here: its origin is not allowed.",
                code="origin_not_allowed",
            )
        presented = presented_key(scope)
        if self._has_keys and presented is None and websocket.endpoint is not None:
            await websocket.accept(subprotocol=chosen_protocol(scope))
            return await self._wait_for_key(scope)
        caller = await self._caller(scope, presented)
        bound = self._let_in(caller, scope, websocket.endpoint)
        if websocket.endpoint is not None:
            await websocket.accept(subprotocol=chosen_protocol(scope))
        self._watch(scope, presented, bound)
        return None

    async def _wait_for_key(self, scope: Scope) -> Response | None:
        try:
            presented = await self._first_message()
            caller = await self._caller(scope, presented)
            bound = self._let_in(caller, scope, websocket.endpoint)
        except ServiceError as error:
            remember_error(scope, error)
            await websocket.send(_as_message(error))
            await websocket.close(POLICY_VIOLATION, error.code or "api_key_required")
            return Response(error_json(error), status=error.status)
        self._watch(scope, presented, bound)
        return None

    async def _first_message(self) -> str | None:
        try:
            async with asyncio.timeout(self._patience_s):
                return key_of_message(await websocket.receive())
        except TimeoutError:
            return None

    async def _caller(self, scope: Scope, presented: str | None) -> Caller:
        if not self._has_keys:
            self._pages.check(scope)
            return self._anybody(scope)
        if presented is None:
            raise Unauthenticated
        caller = await self._admitted(presented)
        scope[KEY_ID_KEY] = caller.key_id
        return caller

    async def _admitted(self, presented: str) -> Caller:
        key = await self._checks.admit(presented)
        limits = key.limits.over(self._default_limits)
        return Caller(key.owner, key.scopes, key.models, key.id, limits=limits)

    def _anybody(self, scope: Scope) -> Caller:
        """Return who asks without a key.

        Keys outlive this state, so only who sits at this machine may make them.
        """
        # A page of another origin may be let in, but is a stranger's all the same.
        is_ours = is_from_allowed_page(scope, ())
        is_here = self._is_local and is_for_loopback(scope) and is_ours
        address = household(client_address(scope, self._proxies))
        return Caller(owner_of(scope), SCOPES if is_here else _WITHOUT_ADMIN, address=address)

    def _let_in(self, caller: Caller, scope: Scope, endpoint: str | None) -> Bound:
        # What does not exist needs no scope; that it does not is told to who has a key.
        if endpoint is not None and (needed := access_to(endpoint)) not in caller.scopes:
            raise Forbidden(
                f"You have insufficient permissions for this operation. Missing scopes: {needed}.",
                code="missing_scope",
            )
        scope[OWNER_KEY] = caller.owner
        return set_caller(caller)

    def _watch(self, scope: Scope, presented: str | None, bound: Bound) -> None:
        if not self._has_keys or presented is None:
            return

        async def is_still_let_in() -> bool:
            try:
                caller = await self._admitted(presented)
            except ServiceError:
                return False
            is_same = replace(caller, limits=bound.caller.limits) == bound.caller
            if is_same:
                # Other limits end no connection, but count from its next message on.
                bound.caller = caller
            return is_same

        scope[RECHECK_KEY] = is_still_let_in


def _is_public(endpoint: str | None) -> bool:
    return endpoint is not None and access_to(endpoint) == "public"


def _as_message(error: ServiceError) -> str:
    rule = websocket.url_rule
    if rule is not None and rule.rule == ORIGINAL_SOCKET:
        return error_text(error.message)
    return error_message(error, {}).decode()
