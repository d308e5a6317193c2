"""The outermost layer of every HTTP request, as ASGI middleware.

It gives the request its id, closes whatever the request opened, however it ends
(answered, client gone, server stopping), ends requests whose client has stopped
reading, and writes the one log line and the one observation of each request.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, Protocol, TypeVar

import structlog

from frontend_api.domain.trace_context import read_trace_context
from frontend_api.service.idempotency import Claim
from frontend_api.service.idle_timer import IdleTimer
from frontend_api.service.live import LiveGeneration
from frontend_api.telemetry import Telemetry
from frontend_api.telemetry.tracing import Span, within

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_KEY: Final = "conch.request"
_SANE_ID: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}", re.ASCII)
# nginx's number for a client that left before it was answered.
CLIENT_LEFT: Final = 499
_FIRST_ERROR: Final = 400
_FIRST_FAULT: Final = 500
_log = structlog.get_logger()


class Closable(Protocol):
    """Something a request opened."""

    async def aclose(self) -> None:
        """Let go of it."""
        ...


Opened = TypeVar("Opened", bound=Closable)


class RequestRecord:
    """One request: what it is called, what it opened, and what its log line will say."""

    def __init__(self, request_id: str) -> None:
        """Start the clock."""
        self.id = request_id
        self.route = "unknown"
        self.key_id: str | None = None
        self.status = CLIENT_LEFT
        self.is_complete = False
        self.is_stalled = False
        # Whether the answer, though begun well, told of a failure.
        self.is_broken = False
        self.generation: LiveGeneration | None = None
        # Of a request with an idempotency key: the right to answer it, or the stored response
        # that an earlier one began.
        self.claim: Claim | None = None
        self.repeats: str | None = None
        self._log_fields: Callable[[], Mapping[str, object]] = dict
        self._started = time.perf_counter()
        self._opened = contextlib.AsyncExitStack()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the request came in."""
        return time.perf_counter() - self._started

    def own(self, opened: Opened) -> Opened:
        """Close this when the request ends, in whatever way."""
        self._opened.push_async_callback(opened.aclose)
        if isinstance(opened, LiveGeneration):
            self.generation = opened
        return opened

    def add_to_log(self, read: Callable[[], Mapping[str, object]]) -> None:
        """Put these fields into the request's log line; read at its end."""
        self._log_fields = read

    def log_fields(self) -> Mapping[str, object]:
        """Return what the log line says beyond the request itself."""
        return self._log_fields()

    async def aclose(self) -> None:
        """Close everything the request opened, the latest first."""
        await self._opened.aclose()

    @property
    def has_failed(self) -> bool:
        """Whether an error was answered, with a status or inside a stream; leaving is none."""
        has_broken = self.generation is not None and self.generation.error is not None
        has_broken = has_broken or self.is_broken
        return has_broken or (self.status >= _FIRST_ERROR and self.status != CLIENT_LEFT)

    @property
    def fault(self) -> str | None:
        """What went wrong here; None when all went well, or when the client was wrong.

        As OpenTelemetry has it of servers: https://opentelemetry.io/docs/specs/semconv/http/.
        """
        if _FIRST_ERROR <= self.status < _FIRST_FAULT:
            return None
        if self.generation is not None and self.generation.error is not None:
            return self.generation.outcome
        if self.status >= _FIRST_FAULT:
            return str(self.status)
        return "broken_stream" if self.is_broken else None

    @property
    def outcome(self) -> str:
        """How it ended, in one word."""
        if self.is_stalled:
            return "client_stalled"
        return "answered" if self.is_complete else "client_left"


def record_of(scope: Mapping[str, Any]) -> RequestRecord:
    """Return the record that belongs to a request's ASGI scope."""
    record = scope[_KEY]
    if not isinstance(record, RequestRecord):
        raise TypeError("the request did not pass through RequestScope")
    return record


class RequestScope:
    """The middleware; WebSockets are only counted, lifespan traffic passes untouched."""

    def __init__(self, app: AsgiApp, telemetry: Telemetry, write_timeout_s: float) -> None:
        """Wrap an ASGI application."""
        self._app = app
        self._telemetry = telemetry
        self._write_timeout_s = write_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request from beginning to end."""
        if scope["type"] == "websocket":
            await self._serve_socket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = scope[_KEY] = RequestRecord(_request_id(scope))
        parent = read_trace_context(scope["headers"])
        with within(self._telemetry.tracing.begun("HTTP", "server", parent)) as span:
            sender = _Sender(record, send, self._write_timeout_s)
            self._telemetry.request_started()
            try:
                await self._app(scope, receive, sender.send)
            except asyncio.CancelledError:
                if not record.is_stalled:
                    raise
                sender.forgive_cancellation()
            finally:
                sender.close()
                await record.aclose()
                self._report(record, scope, span)

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._telemetry.socket_opened()
        try:
            await self._app(scope, receive, send)
        finally:
            self._telemetry.socket_closed()

    def _report(self, record: RequestRecord, scope: Scope, span: Span) -> None:
        fields = record.log_fields()
        tokens = fields.get("completion_tokens")
        self._telemetry.request_ended(
            record.route,
            record.status,
            record.elapsed_s,
            has_failed=record.has_failed,
            tokens=tokens if isinstance(tokens, int) else None,
        )
        _log.info(
            "request",
            request_id=record.id,
            trace_id=span.trace_id,
            method=scope["method"],
            route=record.route,
            status=record.status,
            outcome=record.outcome,
            duration_ms=round(record.elapsed_s * 1000, 1),
            **({} if record.key_id is None else {"key_id": record.key_id}),
            **fields,
        )
        _end(span, record, scope["method"])


def _end(span: Span, record: RequestRecord, method: str) -> None:
    """End the request's span; its address is not in it, as a client writes there what it likes."""
    if span.is_sampled:
        span.set(
            {
                "http.request.method": method,
                "http.route": record.route,
                "http.response.status_code": record.status,
                "conch.request_id": record.id,
                "conch.outcome": record.outcome,
                **({} if record.key_id is None else {"conch.key_id": record.key_id}),
            }
        )
    span.end(name=f"{method} {record.route}", error=record.fault)


class _Sender:
    """Adds our headers to the answer, and ends the request when the client reads nothing."""

    def __init__(self, record: RequestRecord, send: Send, timeout_s: float) -> None:
        self._record = record
        self._send = send
        self._timeout_s = timeout_s
        self._stalled = IdleTimer(self._give_up)
        self._task = asyncio.current_task()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._record.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self._headers()]
        self._stalled.arm(self._timeout_s)
        await self._send(message)
        self._stalled.disarm()
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._record.is_complete = True

    def close(self) -> None:
        self._stalled.close()

    def forgive_cancellation(self) -> None:
        if self._task is not None:
            self._task.uncancel()

    def _headers(self) -> list[tuple[bytes, bytes]]:
        milliseconds = round(self._record.elapsed_s * 1000)
        return [
            (b"x-request-id", self._record.id.encode()),
            (b"openai-processing-ms", str(milliseconds).encode()),
        ]

    def _give_up(self) -> None:
        self._record.is_stalled = True
        # ASGI has no word for it, and a polite close would wait for the reader for ever:
        # uvicorn's `send` belongs to an object that has the connection's transport.
        connection = getattr(self._send, "__self__", None)
        abort = getattr(getattr(connection, "transport", None), "abort", None)
        if callable(abort):
            abort()
        if self._task is not None:
            self._task.cancel()


def begun_message(telemetry: Telemetry, scope: Mapping[str, Any], route: str) -> Span:
    """Begin the span of a message on a WebSocket: a part of what the connection is a part of."""
    return telemetry.tracing.begun(f"WS {route}", "server", read_trace_context(scope["headers"]))


def end_message(span: Span, request_id: str, status: int, error: str | None) -> None:
    """End such a span; an error counts where it was not the client's."""
    span.set({"conch.request_id": request_id, "conch.status": int(status)})
    span.end(error=None if _FIRST_ERROR <= status < _FIRST_FAULT else error)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name.lower() == b"x-request-id":
            given = value.decode("latin-1")
            if _SANE_ID.fullmatch(given):
                return str(given)
    return f"req_{secrets.token_hex(16)}"
