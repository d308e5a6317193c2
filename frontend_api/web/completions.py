"""POST /v1/chat/completions and POST /v1/completions."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

from quart import Blueprint, Response, request

from frontend_api.domain.answer import answer_rules, needing_tokens
from frontend_api.ports import Clock
from frontend_api.service.generations import Generations
from frontend_api.service.request_limits import RequestLimits
from frontend_api.service.responses import Responses
from frontend_api.settings import Settings
from frontend_api.web.answer_types_completion import (
    ChatCompletion,
    ChatCompletionChunk,
    TextCompletion,
    TextCompletionChunk,
)
from frontend_api.web.answers import document, event_stream, log_fields
from frontend_api.web.body import read_body
from frontend_api.web.chunks import CHAT, TEXT, Shape, new_head
from frontend_api.web.detailed import open_completion
from frontend_api.web.documented import GENERATION, STORED_TURN, RouteDoc, documented
from frontend_api.web.patience import patiently
from frontend_api.web.scope import record_of
from frontend_api.web.stored_chat import stored_chat
from frontend_api.web.wire_chat import ChatCompletionIn
from frontend_api.web.wire_completion import CompletionIn

_CHAT_DOC: Final = RouteDoc(
    tag="Completions",
    body=ChatCompletionIn,
    example={"model": "demo", "messages": [{"role": "user", "content": "Hello"}]},
    answers={200: ChatCompletion},
    media={"text/event-stream": ChatCompletionChunk},
    errors=STORED_TURN,
    is_idempotent=True,
)
_TEXT_DOC: Final = RouteDoc(
    tag="Completions",
    body=CompletionIn,
    example={"model": "demo", "prompt": "Once upon a time", "max_tokens": 16},
    answers={200: TextCompletion},
    media={"text/event-stream": TextCompletionChunk},
    errors=GENERATION,
    is_idempotent=True,
)


def completion_routes(
    generations: Generations, responses: Responses, settings: Settings, clock: Clock
) -> Blueprint:
    """Return the routes that generate text."""
    blueprint = Blueprint("completions", __name__)
    http = _Http(generations, settings, clock)

    @blueprint.post("/v1/chat/completions")
    @documented(_CHAT_DOC)
    async def create_chat_completion() -> Response:
        """Answer one conversation, as JSON or as an event stream.

        With `session` or `store` it becomes a turn of a stored session, which its client's
        leaving does not stop.
        """
        wire = await read_body(ChatCompletionIn)
        if not wire.is_stored:
            return await http.answer(wire, CHAT)
        return await http.answer_patiently(
            stored_chat(wire, generations, responses, settings.server.keepalive_interval_s),
            is_stream=bool(wire.stream),
        )

    @blueprint.post("/v1/completions")
    @documented(_TEXT_DOC)
    async def create_completion() -> Response:
        """Continue one text or several, as JSON or as an event stream."""
        return await http.answer(await read_body(CompletionIn), TEXT)

    return blueprint


class _Http:
    """What both routes do inside a request."""

    def __init__(self, generations: Generations, settings: Settings, clock: Clock) -> None:
        self._generations = generations
        self._clock = clock
        self._limits = RequestLimits(settings.limits)
        self._patience_s = settings.triton.queue_timeout_s
        self._keepalive_s = settings.server.keepalive_interval_s

    async def answer(self, wire: ChatCompletionIn | CompletionIn, shape: Shape) -> Response:
        """Return the answer to a body."""
        return await self.answer_patiently(self._answer(wire, shape), is_stream=bool(wire.stream))

    async def answer_patiently(
        self, answer: Coroutine[Any, Any, Response], *, is_stream: bool
    ) -> Response:
        """Return the answer; a stream begins with keepalives when its model has to be loaded."""
        if not is_stream:
            return await answer
        return await patiently(
            answer,
            record_of(request.scope),
            patience_s=self._patience_s,
            keepalive_s=self._keepalive_s,
        )

    async def _answer(self, wire: ChatCompletionIn | CompletionIn, shape: Shape) -> Response:
        model = await self._generations.described(wire.model)
        requests = [needing_tokens(asked, model) for asked in wire.to_domain()]
        self._limits.check_prompts(asked.prompt for asked in requests)
        record = record_of(request.scope)
        generation = record.own(self._generations.begin(requests, record.id))
        record.add_to_log(lambda: log_fields(wire.model, generation))
        head = {**new_head(shape, model, int(self._clock.now())), **wire.echoed()}
        num_choices = len(requests) * requests[0].n
        details = wire.details(answer_rules(requests[0], model))
        completion = open_completion(shape, head, num_choices, details, generation.usage)
        if not wire.stream:
            return await document(generation, completion)
        await generation.accepted(self._patience_s)
        return event_stream(generation, completion, self._keepalive_s, wire.includes_usage)
