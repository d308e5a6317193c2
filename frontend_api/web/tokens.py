"""POST /tokenize and POST /detokenize."""

from __future__ import annotations

from typing import Final

import orjson
from pydantic import Field
from quart import Blueprint, Response, request

from frontend_api.domain.errors import (
    EngineFailed,
    ModelNotFound,
    TimedOut,
    Unavailable,
    UnsupportedParameter,
)
from frontend_api.service.tokens import Tokens
from frontend_api.web.answer_types import Answer
from frontend_api.web.body import read_body
from frontend_api.web.documented import RouteDoc, documented
from frontend_api.web.scope import record_of
from frontend_api.web.wire_tokens import DetokenizeIn, TokenizeIn

TAG: Final = "Tokens"
_ERRORS: Final = (UnsupportedParameter, ModelNotFound, Unavailable, TimedOut, EngineFailed)


class TokenizeAnswer(Answer):
    """The token ids of a prompt; `token_strs` only if asked for."""

    count: int = Field(ge=0)
    max_model_len: int | None = Field(description="Tokens the model has room for, if it says.")
    tokens: list[int]
    token_strs: list[str] = Field(
        default=[], description="The text of each token alone; � for a part of a character."
    )


class DetokenizeAnswer(Answer):
    """The text of token ids, special tokens printed."""

    prompt: str


_TOKENIZE_DOC: Final = RouteDoc(
    tag=TAG,
    body=TokenizeIn,
    example={"model": "demo", "prompt": "Hello"},
    answers={200: TokenizeAnswer},
    errors=_ERRORS,
)
_DETOKENIZE_DOC: Final = RouteDoc(
    tag=TAG,
    body=DetokenizeIn,
    example={"model": "demo", "tokens": [1, 2, 3]},
    answers={200: DetokenizeAnswer},
    errors=_ERRORS,
)


def token_routes(tokens: Tokens) -> Blueprint:
    """Return the routes that ask a model's tokenizer."""
    blueprint = Blueprint("tokens", __name__)

    @blueprint.post("/tokenize")
    @documented(_TOKENIZE_DOC)
    async def tokenize() -> Response:
        """Split a text, or a conversation as its chat template writes it, into token ids."""
        wire = await read_body(TokenizeIn)
        log_model(wire.model)
        found = await tokens.tokenize(wire.to_domain())
        answer = {
            "count": len(found.ids),
            "max_model_len": found.context_length,
            "tokens": found.ids,
        }
        return _json(answer if found.texts is None else {**answer, "token_strs": found.texts})

    @blueprint.post("/detokenize")
    @documented(_DETOKENIZE_DOC)
    async def detokenize() -> Response:
        """Join token ids to text."""
        wire = await read_body(DetokenizeIn)
        log_model(wire.model)
        return _json({"prompt": await tokens.detokenize(wire.model, wire.tokens)})

    def log_model(name: str) -> None:
        record_of(request.scope).add_to_log(lambda: {"model": name})

    return blueprint


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), mimetype="application/json")
