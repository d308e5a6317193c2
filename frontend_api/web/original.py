"""POST /completions and POST /chat/completions in the original service's dialect.

Its two POST addresses are also OpenAI's without `/v1`; which of the two a body is written for
shows in its fields, and one for OpenAI is answered as under `/v1`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import orjson
import structlog
from quart import Blueprint, Response, request

from frontend_api.domain import sse
from frontend_api.domain.errors import InternalFault, ServiceError
from frontend_api.service.generations import Generations
from frontend_api.service.live import LiveGeneration
from frontend_api.service.request_limits import RequestLimits
from frontend_api.settings import Settings
from frontend_api.web.answer_types_completion import (
    ChatCompletion,
    ChatCompletionChunk,
    TextCompletion,
    TextCompletionChunk,
)
from frontend_api.web.answers import log_fields
from frontend_api.web.body import read_body
from frontend_api.web.documented import GENERATION, STORED_TURN, RouteDoc, documented
from frontend_api.web.event_response import event_response
from frontend_api.web.original_answers import OriginalCompletion
from frontend_api.web.original_events import TextFrames, error_frame
from frontend_api.web.original_models import TAG
from frontend_api.web.original_texts import LiveTexts, Texts
from frontend_api.web.original_turns import OriginalTurns
from frontend_api.web.original_wire import OriginalChatIn, OriginalCompletionIn
from frontend_api.web.owner import owner_of
from frontend_api.web.patience import patiently
from frontend_api.web.scope import RequestRecord, record_of
from frontend_api.web.wire_chat import ChatCompletionIn
from frontend_api.web.wire_completion import CompletionIn

Handler = Callable[[], Awaitable[Response]]

# The generation's own deadline comes first.
_FOREVER_S: Final = 86_400.0
_COMPLETION_FIELDS: Final = frozenset(OriginalCompletionIn.model_fields)
_COMPLETION_DOC: Final = RouteDoc(
    tag=TAG,
    body=OriginalCompletionIn | CompletionIn,
    example={"model": "demo", "prompt": "Once upon a time", "max_tokens": 16},
    answers={200: OriginalCompletion | TextCompletion},
    media={"text/event-stream": str | TextCompletionChunk},
    errors=GENERATION,
    is_idempotent=True,
)
_CHAT_DOC: Final = RouteDoc(
    tag=TAG,
    body=OriginalChatIn | ChatCompletionIn,
    example={"model-name": "demo", "prompt": "Hello", "max-token": 16},
    answers={200: ChatCompletion},
    media={"text/event-stream": str | ChatCompletionChunk},
    errors=STORED_TURN,
    is_idempotent=True,
)
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OpenAiHandlers:
    """What answers the bodies that are OpenAI's."""

    chat: Handler
    text: Handler


def original_routes(
    generations: Generations, turns: OriginalTurns, settings: Settings, openai: OpenAiHandlers
) -> Blueprint:
    """Return the routes; a session's answer ends with its connection, and its text stays."""
    blueprint = Blueprint("original", __name__)
    http = _Http(generations, turns, settings)

    @blueprint.post("/completions")
    @documented(_COMPLETION_DOC)
    async def complete() -> Response:
        """Continue a text: as JSON, or as events of raw text; with fields of OpenAI's, as there."""
        if not await _is_sent_for(_is_original_completion):
            return await openai.text()
        wire = await read_body(OriginalCompletionIn)
        return await http.complete(wire)

    @blueprint.post("/chat/completions")
    @documented(_CHAT_DOC)
    async def chat() -> Response:
        """Answer a prompt as events of raw text; a body with `messages` and `model` as OpenAI."""
        if not await _is_sent_for(_is_original_chat):
            return await openai.chat()
        return await http.chat(await read_body(OriginalChatIn))

    return blueprint


class _Http:
    """What the routes do inside a request."""

    def __init__(self, generations: Generations, turns: OriginalTurns, settings: Settings) -> None:
        self._generations = generations
        self._turns = turns
        self._limits = RequestLimits(settings.limits)
        self._patience_s = settings.triton.queue_timeout_s
        self._keepalive_s = settings.server.keepalive_interval_s

    async def complete(self, wire: OriginalCompletionIn) -> Response:
        return await (self._patient(self._complete(wire)) if wire.stream else self._complete(wire))

    async def chat(self, wire: OriginalChatIn) -> Response:
        return await self._patient(self._chat(wire))

    async def _complete(self, wire: OriginalCompletionIn) -> Response:
        await self._generations.described(wire.model)
        record = record_of(request.scope)
        asked = wire.to_domain(self._limits.defaulted)
        self._limits.check_prompts([asked.prompt])
        generation = record.own(self._generations.begin([asked], record.id))
        record.add_to_log(lambda: log_fields(wire.model, generation))
        if not wire.stream:
            return await _whole(generation, wire.model)
        await generation.accepted(self._patience_s)
        return _stream(LiveTexts(generation), self._keepalive_s)

    async def _chat(self, wire: OriginalChatIn) -> Response:
        record = record_of(request.scope)
        owner = owner_of(request.scope)
        texts = record.own(await self._turns.begin(wire, owner, record.id, self._patience_s))
        record.add_to_log(texts.log_fields)
        return _stream(texts, self._keepalive_s)

    async def _patient(self, opening: Coroutine[Any, Any, Response]) -> Response:
        return await patiently(
            opening,
            record_of(request.scope),
            patience_s=self._patience_s,
            keepalive_s=self._keepalive_s,
            refusal=lambda error: error_frame(error.message),
        )


async def _is_sent_for(is_ours: Callable[[dict[str, object]], bool]) -> bool:
    """Return whether the body is of this dialect; what is no JSON object is left to OpenAI's."""
    try:
        body = orjson.loads(await request.get_data(cache=True, as_text=False))
    except orjson.JSONDecodeError:
        return False
    return isinstance(body, dict) and is_ours(body)


def _is_original_completion(body: dict[str, object]) -> bool:
    """OpenAI's fields include all of these; only what else is there can tell."""
    return body.keys() <= _COMPLETION_FIELDS and isinstance(body.get("prompt", ""), str)


def _is_original_chat(body: dict[str, object]) -> bool:
    return "model-name" in body or ("prompt" in body and "messages" not in body)


async def _whole(generation: LiveGeneration, model: str) -> Response:
    texts: list[str] = []
    while (deltas := await generation.take(patience_s=_FOREVER_S)) is not None:
        texts += [delta.text for delta in deltas]
    tokens = generation.usage.completion_tokens
    return _json({"text": "".join(texts), "model": model, "tokens": tokens})


def _stream(texts: Texts, keepalive_s: float) -> Response:
    return event_response(_events(texts, keepalive_s, record_of(request.scope)))


async def _events(
    texts: Texts, keepalive_s: float, record: RequestRecord
) -> AsyncGenerator[bytes, None]:
    """Yield the stream's bytes; nothing is left to clean up if this is never run to its end."""
    frames = TextFrames()
    try:
        while (piece := await texts.take(keepalive_s)) is not None:
            silence = sse.keepalive(texts.queue_position)
            if events := frames.push(piece) if piece else silence:
                yield events
        yield frames.end()
    except ServiceError as error:
        record.is_broken = True
        yield frames.end() + error_frame(error.message)
    except Exception:
        _log.exception("stream.fault")
        record.is_broken = True
        yield error_frame(InternalFault("The server had an error. Please try again.").message)


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), mimetype="application/json")
