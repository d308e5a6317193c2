"""A chat completion that is a turn of a stored session.

The messages of the request are appended to the session, the answer is stored as it comes and
outlives its client. What the client gets is a chat completion as ever, made from the stored
pieces, with `x_conch.session`: at the beginning of a stream, and again with its end.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace
from typing import Final

import orjson
import structlog
from quart import Response, request

from frontend_api.domain import sse
from frontend_api.domain.answer_pieces import Content, Piece, merged
from frontend_api.domain.errors import InternalFault, ServiceError
from frontend_api.domain.failures import failure_of
from frontend_api.domain.generation import ChatPrompt, Timing, Usage
from frontend_api.domain.messages import Called, Ending, Item, Returned, Said, Thought
from frontend_api.domain.model import ServedModel
from frontend_api.service.feeds import Feed
from frontend_api.service.generations import Generations
from frontend_api.service.orders import Order
from frontend_api.service.responses import Responses
from frontend_api.web.chunks import CHAT, Completion, Json, new_head
from frontend_api.web.errors import error_event
from frontend_api.web.event_response import event_response
from frontend_api.web.idempotency import open_feed
from frontend_api.web.owner import owner_of
from frontend_api.web.pieces import chat_message, piece_delta
from frontend_api.web.response_json import run_of
from frontend_api.web.scope import RequestRecord, record_of
from frontend_api.web.wire_chat import ChatCompletionIn
from frontend_api.web.wire_messages import MessageIn

# The generation's own deadline comes first.
_FOREVER_S: Final = 86_400.0
_log = structlog.get_logger()


async def stored_chat(
    wire: ChatCompletionIn, generations: Generations, responses: Responses, keepalive_s: float
) -> Response:
    """Answer the turn, as JSON or as an event stream."""
    model = await generations.described(wire.model)
    record = record_of(request.scope)
    feed = await open_feed(responses, _order(wire, owner_of(request.scope), record.id))
    record.add_to_log(lambda: _log_fields(feed))
    chat = StoredChat(feed, model, wire.echoed(), has_usage=wire.includes_usage)
    if not wire.stream:
        return await _document(chat, feed)
    return _stream(chat, feed, record, keepalive_s)


def _order(wire: ChatCompletionIn, owner: str, request_id: str) -> Order:
    (request,) = wire.to_domain()
    if not isinstance(request.prompt, ChatPrompt):
        raise TypeError("a chat's prompt is a conversation")
    return Order(
        owner=owner,
        request_id=request_id,
        request=replace(request, prompt=replace(request.prompt, messages=())),
        items=tuple(item for message in wire.messages for item in _items(message)),
        session_id=wire.session,
        creates_session=True,
        settings=_echoed(wire),
    )


def _items(message: MessageIn) -> Iterator[Item]:
    turn = message.to_domain()
    if message.role == "tool":
        yield Returned(turn.call_id or "", turn.content or "")
        return
    if turn.reasoning:
        yield Thought(turn.reasoning)
    if turn.content or not turn.calls:
        yield Said(message.role, turn.content or "")
    for call in turn.calls:
        yield Called(call.id, call.name, call.arguments)


def _echoed(wire: ChatCompletionIn) -> str:
    """Return what /v1/responses will tell of the request."""
    asked: dict[str, object] = {
        "temperature": wire.temperature,
        "top_p": wire.top_p,
        "max_output_tokens": wire.max_completion_tokens or wire.max_tokens,
        "metadata": wire.metadata,
        "user": wire.user,
    }
    return orjson.dumps(
        {name: value for name, value in asked.items() if value is not None}
    ).decode()


class StoredChat(Completion):
    """The answer of one feed as a chat completion."""

    def __init__(self, feed: Feed, model: ServedModel, echoed: Json, *, has_usage: bool) -> None:
        """Begin the answer; has_usage: whether a stream ends with the token counts."""
        message = feed.message
        head = {
            **new_head(CHAT, model, int(message.created_at)),
            # The same whenever it is read again.
            "id": CHAT.id_prefix + message.id.partition("_")[2],
        }
        super().__init__(CHAT, {**head, **echoed}, 1)
        self._feed = feed
        self._has_usage = has_usage
        self.prepare_chunks(has_usage)

    def opening(self) -> bytes:
        """Return the chunk with the role, which tells of the session as well."""
        first: Json = {"delta": {"role": "assistant", "content": ""}}
        return self._chunk(first, None, x_conch=self._place(is_saved=False))

    def told(self, pieces: Sequence[Piece]) -> bytes:
        """Return the events of these pieces."""
        before, after = self._templates[0]
        return b"".join(
            before + orjson.dumps(piece.text) + after
            if isinstance(piece, Content)
            else self._chunk({"delta": piece_delta(piece)}, None)
            for piece in pieces
        )

    def ending(self, ending: Ending) -> bytes:
        """Return the events after the last piece, of an answer that came to its end."""
        place = self._place(is_saved=self._feed.is_saved)
        last = self._chunk({"delta": {}}, ending.finish_reason or "stop", x_conch=place)
        return last + (self.usage_chunk(*_counts(ending)) if self._has_usage else b"")

    def document(self, ending: Ending) -> bytes:
        """Return the whole answer."""
        whole = orjson.loads(self.whole(*_counts(ending)))
        place = self._place(is_saved=self._feed.is_saved)
        return orjson.dumps({**whole, "x_conch": place})

    def _choices(self) -> Sequence[Json]:
        run = run_of(self._feed.message)
        reason = None if run.ending is None else run.ending.finish_reason
        return [
            {
                "index": 0,
                "message": chat_message(merged(run.pieces)),
                "logprobs": None,
                "finish_reason": reason or "stop",
            }
        ]

    def _chunk(self, choice: Json, reason: str | None, **fields: Json) -> bytes:
        rest = {"logprobs": None, "finish_reason": reason}
        return self._event([{"index": 0, **choice, **rest}], **fields)

    def _place(self, *, is_saved: bool) -> Json:
        message = self._feed.message
        return {
            "session": {
                "id": message.session_id,
                "message_id": message.id,
                "saved": is_saved,
                "num_dropped": run_of(message).num_dropped,
            }
        }


def _stream(chat: StoredChat, feed: Feed, record: RequestRecord, keepalive_s: float) -> Response:
    return event_response(_events(chat, feed, record, keepalive_s))


async def _document(chat: StoredChat, feed: Feed) -> Response:
    while await feed.take(_FOREVER_S) is not None:
        pass
    return Response(chat.document(_ended(feed)), mimetype="application/json")


def _log_fields(feed: Feed) -> dict[str, object]:
    run = run_of(feed.message)
    usage = run.ending.usage if run.ending is not None and run.ending.usage is not None else Usage()
    return {
        "model": run.model,
        "response_id": feed.message.id,
        "generation": run.status,
        "queue_ms": run.queue_ms,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
    }


async def _events(
    chat: StoredChat, feed: Feed, record: RequestRecord, keepalive_s: float
) -> AsyncGenerator[bytes, None]:
    try:
        yield chat.opening()
        while (pieces := await feed.take(keepalive_s)) is not None:
            yield chat.told(pieces) if pieces else sse.keepalive(feed.queue_position)
        yield chat.ending(_ended(feed))
    except ServiceError as error:
        record.is_broken = True
        yield error_event(error)
    except Exception:
        _log.exception("stream.fault")
        record.is_broken = True
        yield error_event(InternalFault("The server had an error. Please try again."))
    yield sse.DONE


def _ended(feed: Feed) -> Ending:
    """Return the ending of what the model has said all of; raises the error of anything else."""
    ending = run_of(feed.message).ending
    if ending is None:
        raise InternalFault("The server had an error. Please try again.")
    failure = failure_of(ending)
    if failure is not None:
        raise failure
    return ending


def _counts(ending: Ending) -> tuple[Usage, Timing]:
    return ending.usage or Usage(), ending.timing or Timing(None, None, None)
