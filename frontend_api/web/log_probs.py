"""The log probabilities of output tokens, as each endpoint writes them.

A token's `bytes` are exact; its text has U+FFFD where it is only a part of a character.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from frontend_api.domain.generation import Token

Json = Mapping[str, object]

# OpenAI's number for "practically impossible"; JSON has no infinity.
_LEAST: Final = -9999.0


def chat_log_probs(tokens: Sequence[Token]) -> Json:
    """Return a chat choice's `logprobs` of these tokens."""
    return {"content": [_chat_token(token) for token in tokens], "refusal": None}


def text_log_probs(tokens: Sequence[Token], offset: int, num_top: int) -> tuple[Json, int]:
    """Return a text choice's `logprobs` of these tokens, and the offset of what follows them.

    offset: characters of the choice's text before them. num_top: 0 leaves the alternatives out.
    """
    offsets: list[int] = []
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for token in tokens:
        offsets.append(offset)
        offset += len(decoder.decode(token.text))
    told = {
        "tokens": [_text(token) for token in tokens],
        "token_logprobs": [_log_prob(token) for token in tokens],
        "top_logprobs": [_likeliest(token) for token in tokens] if num_top else None,
        "text_offset": offsets,
    }
    return told, offset


def _chat_token(token: Token) -> Json:
    return {
        "token": _text(token),
        "logprob": _log_prob(token),
        "bytes": list(token.text),
        "top_logprobs": orjson.Fragment(token.alternatives or b"[]"),
    }


def _likeliest(token: Token) -> Json:
    if not token.alternatives:
        return {_text(token): _log_prob(token)}
    told = {one["token"]: one["logprob"] for one in orjson.loads(token.alternatives)}
    told.setdefault(_text(token), _log_prob(token))  # so there may be one more than asked for
    return told


def _text(token: Token) -> str:
    return token.text.decode("utf-8", "replace")


def _log_prob(token: Token) -> float:
    value = _LEAST if token.log_prob is None else token.log_prob
    # Rounding can lift a certain token a little above 0.
    return _LEAST if math.isnan(value) else min(max(value, _LEAST), 0.0)
