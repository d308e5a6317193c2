"""One message of a client on WS /v1/responses, from its bytes to the last event of its answer."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

import orjson
import structlog

from frontend_api.domain.errors import BadRequest, InternalFault, ServiceError
from frontend_api.domain.messages import Item
from frontend_api.service.feeds import Feed
from frontend_api.service.orders import Order
from frontend_api.service.responses import Responses
from frontend_api.telemetry import Telemetry
from frontend_api.telemetry.tracing import Span, within
from frontend_api.web.body import checked, parse_json
from frontend_api.web.errors import error_fields
from frontend_api.web.response_events import Framing, ResponseEvents, batches
from frontend_api.web.response_json import run_of
from frontend_api.web.response_stream import log_fields
from frontend_api.web.scope import CLIENT_LEFT, end_message
from frontend_api.web.unsaved_turns import UnsavedTurns
from frontend_api.web.validation import MISSING
from frontend_api.web.wire_response_socket import CancelIn, CreateIn, ResumeIn

Json: TypeAlias = Mapping[str, object]
FindItem: TypeAlias = Callable[[str, str], Awaitable[Item]]
Send: TypeAlias = Callable[[Iterable[bytes]], Awaitable[None]]

ROUTE: Final = "/v1/responses"
# Beside those over HTTP, which have the same path.
_MEASURED_AS: Final = f"WS {ROUTE}"
_KINDS: Final[Mapping[str, type[CreateIn | CancelIn | ResumeIn]]] = {
    "response.create": CreateIn,
    "response.cancel": CancelIn,
    "response.resume": ResumeIn,
}
# Heartbeats fill the silence; the generation's own deadline comes first.
_FOREVER_S: Final = 86_400.0
# How often a client is told how many tokens there are: a delta may be of several.
_COUNT_INTERVAL_S: Final = 0.5
_NAMES: Final = ("event_id", "stream_id")
_MAX_NAME_CHARS: Final = 128
_log = structlog.get_logger()


class PeerLeft(Exception):  # noqa: N818 - nothing is wrong: a client may leave
    """Nobody reads what is sent."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who asks: what it may see, and the way to it; `send` raises PeerLeft.

    begun: begins the span of a message.
    """

    owner: str
    send: Send
    unsaved: UnsavedTurns
    begun: Callable[[str], Span]


class ResponseExchange:
    """Does what one message asks for."""

    def __init__(
        self, responses: Responses, find_item: FindItem, peer: Peer, telemetry: Telemetry
    ) -> None:
        """Begin; nothing is opened before `answer`."""
        self._telemetry = telemetry
        self._responses = responses
        self._find_item = find_item
        self._peer = peer
        self._id = f"req_{secrets.token_hex(16)}"
        self._names: Json = {}
        self._feed: Feed | None = None
        self._counts_tokens = False
        self._outcome: str | None = "answered"
        self._status: int = HTTPStatus.OK

    @property
    def queued(self) -> Mapping[str, int]:
        """The place of its response in the line before the model, by id; empty: not in line."""
        position = None if self._feed is None else self._feed.queue_position
        return {} if self._feed is None or position is None else {self._feed.message.id: position}

    async def answer(self, message: str | bytes) -> None:
        """Send every event; raises PeerLeft when the client has left or reads nothing."""
        started_at = asyncio.get_running_loop().time()
        with within(self._peer.begun(ROUTE)) as span:
            try:
                await self._answer(message)
            except (asyncio.CancelledError, PeerLeft):
                self._outcome, self._status = "client_left", CLIENT_LEFT
                raise
            finally:
                self._account(asyncio.get_running_loop().time() - started_at, span)

    async def _answer(self, message: str | bytes) -> None:
        try:
            await self._act(parse_json(message))
        except ServiceError as error:
            await self._refuse(error)
        except PeerLeft:
            raise
        except Exception:
            _log.exception("socket.fault")
            await self._refuse(InternalFault("The server had an error. Please try again."))

    async def _act(self, value: object) -> None:
        self._names = _names_in(value)
        kind = _KINDS.get(_type_of(value))
        if kind is None:
            raise BadRequest(
                f"Invalid value for 'type'. Supported values are: {', '.join(_KINDS)}.",
                param="type",
                code="invalid_value",
            )
        match checked(value, kind):
            case CreateIn() as wire:
                self._counts_tokens = wire.count_tokens
                asked = await wire.to_order(self._peer.owner, self._id, self._find)
                order = self._peer.unsaved.continued(asked)
                await self._tell(await self._responses.create(order), after=-1, order=order)
            case ResumeIn(response_id=response_id, starting_after=after, count_tokens=counts):
                self._counts_tokens = counts
                feed = await self._responses.follow(self._peer.owner, response_id)
                await self._tell(feed, after=-1 if after is None else after)
            case CancelIn(response_id=response_id):
                await self._responses.cancel(self._peer.owner, response_id)

    async def _find(self, item_id: str) -> Item:
        return await self._find_item(self._peer.owner, item_id)

    async def _tell(self, feed: Feed, after: int, order: Order | None = None) -> None:
        """Send the events after this number; the feed is closed with the task."""
        self._feed = feed
        self._names = {**self._names, "response_id": feed.message.id}
        of_each = {name: name_ for name, name_ in self._names.items() if name != "event_id"}
        async with aclosing(feed):
            events = ResponseEvents(feed.message, Framing(is_sse=False, fields=of_each), after)
            await self._peer.send(events.opening())
            counted_at = -_COUNT_INTERVAL_S
            while (pieces := await feed.take(_FOREVER_S)) is not None:
                for portion in batches(pieces):
                    await self._peer.send(events.told(portion))
                    await asyncio.sleep(0)
                if self._counts_tokens:
                    counted_at = await self._count(feed, counted_at)
            if order is not None:
                # Before its end is told: the client may go on at once.
                self._peer.unsaved.keep(order, feed.message)
            await self._peer.send(events.ending(feed.message, is_saved=feed.is_saved))

    async def _count(self, feed: Feed, counted_at: float) -> float:
        """Tell how many tokens there are, unless that was just told; returns when it was."""
        now, num_tokens = asyncio.get_running_loop().time(), feed.num_tokens
        if num_tokens is None or now - counted_at < _COUNT_INTERVAL_S:
            return counted_at
        await self._peer.send([heartbeat(tokens={feed.message.id: num_tokens})])
        return now

    async def _refuse(self, error: ServiceError) -> None:
        self._outcome, self._status = error.code or "error", error.status
        await self._peer.send([error_message(error, self._names)])

    def _account(self, duration_s: float, span: Span) -> None:
        is_refused = self._status not in (HTTPStatus.OK, CLIENT_LEFT)
        has_failed = self._feed is not None and run_of(self._feed.message).status == "failed"
        self._telemetry.message_ended(
            _MEASURED_AS, self._status, duration_s, has_failed=is_refused or has_failed
        )
        _log.info(
            "message",
            request_id=self._id,
            trace_id=span.trace_id,
            route=ROUTE,
            outcome=self._outcome,
            duration_ms=round(duration_s * 1000, 1),
            **({} if self._feed is None else log_fields(self._feed)),
        )
        error = "broken_stream" if has_failed else self._outcome if is_refused else None
        end_message(span, self._id, self._status, error)


def heartbeat(**told: Mapping[str, int]) -> bytes:
    """Return the message that the connection is alive, with what else is told, unless empty."""
    filled = {name: by_id for name, by_id in told.items() if by_id}
    return orjson.dumps({"type": "heartbeat", **filled})


def error_message(error: ServiceError, names: Json) -> bytes:
    """Return the message that tells of an error, with what the client called its own."""
    wait = {} if error.retry_after_s is None else {"retry_after": error.retry_after_s}
    told = {"type": "error", "status": error.status, "error": error_fields(error), **wait, **names}
    return orjson.dumps(told)


def names_of(message: str | bytes) -> Json:
    """Return what the client called a message that is refused unread."""
    try:
        return _names_in(parse_json(message))
    except BadRequest:
        return {}


def _type_of(value: object) -> str:
    if not isinstance(value, Mapping):
        raise BadRequest("Invalid type for the message: expected an object.", code="invalid_type")
    kind = value.get("type")
    if kind is None:
        raise BadRequest(
            MISSING.format(param="type"), param="type", code="missing_required_parameter"
        )
    return kind if isinstance(kind, str) else ""


def _names_in(value: object) -> Json:
    """Return the names the client gave, also of a message that is refused for something else."""
    if not isinstance(value, Mapping):
        return {}
    given = {name: value.get(name) for name in _NAMES}
    return {
        name: text
        for name, text in given.items()
        if isinstance(text, str) and 0 < len(text) <= _MAX_NAME_CHARS
    }
