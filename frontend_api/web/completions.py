"""POST /v1/chat/completions and POST /v1/completions."""

from __future__ import annotations

from quart import Blueprint, Response, request

from frontend_api.ports import Clock
from frontend_api.service.generations import Generations
from frontend_api.settings import Settings
from frontend_api.web.answers import document, event_stream
from frontend_api.web.body import read_body
from frontend_api.web.chunks import CHAT, TEXT, Completion, Shape
from frontend_api.web.scope import record_of
from frontend_api.web.wire_chat import ChatCompletionIn
from frontend_api.web.wire_completion import CompletionIn


def completion_routes(generations: Generations, settings: Settings, clock: Clock) -> Blueprint:
    """Return the routes that generate text."""
    blueprint = Blueprint("completions", __name__)

    @blueprint.post("/v1/chat/completions")
    async def create_chat_completion() -> Response:
        """Answer one conversation, as JSON or as an event stream."""
        return await answer(await read_body(ChatCompletionIn), CHAT)

    @blueprint.post("/v1/completions")
    async def create_completion() -> Response:
        """Continue one text or several, as JSON or as an event stream."""
        return await answer(await read_body(CompletionIn), TEXT)

    async def answer(wire: ChatCompletionIn | CompletionIn, shape: Shape) -> Response:
        requests = wire.to_domain()
        record = record_of(request.scope)
        generation = record.own(generations.begin(requests))
        record.add_to_log(
            lambda: {
                "model": wire.model,
                "generation": generation.outcome,
                "prompt_tokens": generation.usage.prompt_tokens,
                "completion_tokens": generation.usage.completion_tokens,
                "detail": "" if generation.error is None else generation.error.detail,
            }
        )
        num_choices = len(requests) * requests[0].n
        completion = Completion(shape, wire.model, int(clock.now()), num_choices)
        if not wire.stream:
            return await document(generation, completion)
        await generation.accepted(settings.triton.queue_timeout_s)
        return event_stream(
            generation, completion, settings.server.keepalive_interval_s, wire.includes_usage
        )

    return blueprint
