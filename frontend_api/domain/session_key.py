"""What tells which requests begin alike, so that they can meet the same server's prefix cache.

Taken from the prompt itself, so every dialect has it, with and without a stored session: the turns
of a conversation share their tools, instructions and first message, and keep the key as it grows.
Many short conversations may share one key ("Hello"); whoever routes by it bounds the load.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import chain

from frontend_api.domain.generation import (
    ChatMessage,
    ChatPrompt,
    GenerationRequest,
    Prompt,
    TextPrompt,
)

# A text that goes on from another begins like it; so much is enough to tell two apart.
_NUM_CHARS = 1024
_NUM_IDS = 256
_INSTRUCTIONS = frozenset({"system", "developer"})


def session_key(request: GenerationRequest) -> str:
    """Return 32 hexadecimal digits, the same for requests to a model that begin alike."""
    digest = hashlib.blake2b(digest_size=16)
    for part in chain([request.model], _beginning(request.prompt)):
        # Lone surrogates are possible in JSON, and nothing is decoded again here.
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    return digest.hexdigest()


def _beginning(prompt: Prompt) -> Iterator[str]:
    if isinstance(prompt, ChatPrompt):
        yield prompt.tools
        yield from _first_turn(prompt.messages)
    elif isinstance(prompt, TextPrompt):
        yield prompt.text[:_NUM_CHARS]
    else:
        yield ",".join(map(str, prompt.ids[:_NUM_IDS]))


def _first_turn(messages: tuple[ChatMessage, ...]) -> Iterator[str]:
    for message in messages:
        yield message.role
        yield message.content or ""
        if message.role not in _INSTRUCTIONS:
            return
