"""WS /chat/ws in the original service's dialect.

A message is the JSON of its POST /chat/completions. The answer comes as text frames of raw
text and ends with an empty frame; an error is one frame `__ERROR__:<message>`, and then the
empty one. Messages are answered one after another. The original's clients know the end of an
answer by the end of the connection, so it is closed when no further message follows soon.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from http import HTTPStatus
from typing import Final

import structlog
from quart import Blueprint, websocket

from frontend_api.domain.errors import InternalFault, ServiceError
from frontend_api.settings import Settings
from frontend_api.telemetry import Telemetry
from frontend_api.telemetry.tracing import Span, within
from frontend_api.web.body import parse_body
from frontend_api.web.documented import GENERATION, RouteDoc, documented
from frontend_api.web.original_events import error_text, unmistakable
from frontend_api.web.original_models import TAG
from frontend_api.web.original_texts import Texts
from frontend_api.web.original_turns import OriginalTurns
from frontend_api.web.original_wire import OriginalChatIn
from frontend_api.web.owner import owner_of
from frontend_api.web.scope import CLIENT_LEFT, begun_message, end_message

# Long enough for a client that reads until nothing comes, short enough for one that waits.
LINGER_S: Final = 3.0
END_FRAME: Final = ""
ROUTE: Final = "/chat/ws"
_GOING_WELL: Final = 1000
_DOC: Final = RouteDoc(
    tag=TAG,
    body=OriginalChatIn,
    example={"model-name": "demo", "prompt": "Hello", "max-token": 16},
    media={"text/plain": str},
    errors=GENERATION,
)
# Pings fill the silence; the generation's own deadline comes first.
_FOREVER_S: Final = 86_400.0
_log = structlog.get_logger()


def original_socket_routes(
    turns: OriginalTurns, telemetry: Telemetry, settings: Settings
) -> Blueprint:
    """Return the route; closing the connection cancels what runs on it."""
    blueprint = Blueprint("original_socket", __name__)

    @blueprint.websocket(ROUTE)
    @documented(_DOC)
    async def chat() -> None:
        """Answer prompts, one after another, with frames of raw text."""
        # Sending fails when the client has left or reads nothing: then there is nobody to tell.
        with contextlib.suppress(OSError):
            await websocket.accept()
            patience_s = settings.triton.queue_timeout_s
            message = await _message_within(settings.server.body_timeout_s)
            while message is not None:
                await _Exchange(turns, telemetry, patience_s).answer(message)
                message = await _message_within(LINGER_S)
            await websocket.close(_GOING_WELL)

    return blueprint


class _Exchange:
    """One message and its answer."""

    def __init__(self, turns: OriginalTurns, telemetry: Telemetry, patience_s: float) -> None:
        self._turns = turns
        self._patience_s = patience_s
        self._telemetry = telemetry
        self._started_at = asyncio.get_running_loop().time()
        self._id = f"req_{secrets.token_hex(16)}"
        self._texts: Texts | None = None
        self._error: ServiceError | None = None
        self._has_left = False

    async def answer(self, message: str | bytes) -> None:
        """Send everything up to the end of the answer; accounts for it however it ends."""
        with within(begun_message(self._telemetry, websocket.scope, ROUTE)) as span:
            await self._answer(message, span)
        if self._error is not None:
            await websocket.send(error_text(self._error.message))
        await websocket.send(END_FRAME)

    async def _answer(self, message: str | bytes, span: Span) -> None:
        try:
            await self._run(message)
        except (asyncio.CancelledError, OSError):
            self._has_left = True
            raise
        except ServiceError as error:
            self._error = error
        except Exception:
            _log.exception("socket.fault")
            self._error = InternalFault("The server had an error. Please try again.")
        finally:
            if self._texts is not None:
                await self._texts.aclose()
            self._account(span)

    async def _run(self, message: str | bytes) -> None:
        wire = parse_body(message, OriginalChatIn)
        owner = owner_of(websocket.scope)
        texts = self._texts = await self._turns.begin(wire, owner, self._id, self._patience_s)
        while (piece := await texts.take(_FOREVER_S)) is not None:
            for text in unmistakable(piece):
                if text:
                    await websocket.send(text)

    def _account(self, span: Span) -> None:
        duration_s = asyncio.get_running_loop().time() - self._started_at
        texts, error = self._texts, self._error
        outcome = "answered" if error is None else error.code
        usage = None if texts is None else texts.usage
        status = CLIENT_LEFT if self._has_left else HTTPStatus.OK if error is None else error.status
        self._telemetry.message_ended(
            ROUTE,
            status,
            duration_s,
            has_failed=error is not None,
            tokens=None if usage is None else usage.completion_tokens,
        )
        _log.info(
            "message",
            request_id=self._id,
            trace_id=span.trace_id,
            route=ROUTE,
            outcome="client_left" if self._has_left else outcome,
            duration_ms=round(duration_s * 1000, 1),
            **({} if texts is None else texts.log_fields()),
        )
        end_message(span, self._id, status, None if error is None else error.code)


async def _message_within(limit_s: float) -> str | bytes | None:
    try:
        async with asyncio.timeout(limit_s):
            return await websocket.receive()
    except TimeoutError:
        return None
