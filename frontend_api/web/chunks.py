"""What a chat or text completion looks like, whole or in chunks.

The chunks of one stream differ in a few bytes only. So each choice's bytes before and
after the text are made once, and a delta costs one JSON string and one join.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from frontend_api.domain import sse
from frontend_api.domain.generation import Delta, Timing, Usage
from frontend_api.domain.model import ServedModel

Json = Mapping[str, object]

# Stands for the text in a chunk that is cut in two there; no model name can contain it.
_MARK: Final = "\x00text\x00"
_MARK_JSON: Final = orjson.dumps(_MARK)
_FINGERPRINT_CHARS: Final = 10


@dataclass(frozen=True, slots=True)
class Shape:
    """How one endpoint writes its answers."""

    id_prefix: str
    object_name: str
    chunk_object_name: str
    opening: Callable[[int], Json] | None
    piece: Callable[[int, str], Json]
    ending: Callable[[int, str], Json]
    choice: Callable[[int, str, str], Json]


def _chat_chunk(index: int, delta: Json, reason: str | None) -> Json:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}


def _text_choice(index: int, text: str, reason: str | None) -> Json:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": reason}


CHAT: Final = Shape(
    id_prefix="chatcmpl-",
    object_name="chat.completion",
    chunk_object_name="chat.completion.chunk",
    opening=lambda index: _chat_chunk(index, {"role": "assistant", "content": ""}, None),
    piece=lambda index, text: _chat_chunk(index, {"content": text}, None),
    ending=lambda index, reason: _chat_chunk(index, {}, reason),
    choice=lambda index, text, reason: {
        "index": index,
        "message": {"role": "assistant", "content": text, "refusal": None},
        "logprobs": None,
        "finish_reason": reason,
    },
)
TEXT: Final = Shape(
    id_prefix="cmpl-",
    object_name="text_completion",
    chunk_object_name="text_completion",
    opening=None,
    piece=lambda index, text: _text_choice(index, text, None),
    ending=lambda index, reason: _text_choice(index, "", reason),
    choice=_text_choice,
)


def new_head(shape: Shape, model: ServedModel, created: int) -> Json:
    """Return what all chunks of one answer share; `created` in seconds since 1970."""
    identity = f"{model.name} {model.engine} {model.quantization} {model.created}"
    fingerprint = hashlib.sha256(identity.encode()).hexdigest()[:_FINGERPRINT_CHARS]
    return {
        "id": shape.id_prefix + secrets.token_hex(16),
        "created": created,
        "model": model.name,
        "system_fingerprint": f"fp_{fingerprint}",
    }


class Completion:
    """One answer of one endpoint whose text is the model's as it is: its chunks, its whole.

    is_sufficient: whether nothing is wanted of what the model still says.
    """

    is_sufficient = False
    reasoning_tokens = 0

    def __init__(self, shape: Shape, head: Json, num_choices: int) -> None:
        """Begin an answer with this head."""
        self._shape = shape
        self._num_choices = num_choices
        self._head = head
        self._usage_field: Json = {}
        self._templates: list[tuple[bytes, bytes]] = []
        self._taken: list[Delta] = []

    def prepare_chunks(self, includes_usage: bool) -> None:
        """Make the templates; with usage asked for, every chunk says that it has none yet."""
        self._usage_field = {"usage": None} if includes_usage else {}
        self._templates = [self._template(index) for index in range(self._num_choices)]

    def opening(self) -> bytes:
        """Return what comes before any text: for a chat the role, once for each choice."""
        start = self._shape.opening
        if start is None:
            return b""
        return b"".join(self._event([start(index)]) for index in range(self._num_choices))

    def chunks(self, deltas: Iterable[Delta]) -> bytes:
        """Return the events of these deltas; the hot path."""
        events = []
        for delta in deltas:
            if delta.text:
                before, after = self._templates[delta.sequence_index]
                events.append(before + orjson.dumps(delta.text) + after)
            if delta.finish_reason is not None:
                events.append(
                    self._event([self._shape.ending(delta.sequence_index, delta.finish_reason)])
                )
        return b"".join(events)

    def usage_chunk(self, usage: Usage, timing: Timing) -> bytes:
        """Return the event with the token counts."""
        return self._event([], usage=usage_json(usage, timing))

    def take(self, deltas: Iterable[Delta]) -> None:
        """Keep these deltas for the whole."""
        self._taken.extend(deltas)

    def whole(self, usage: Usage, timing: Timing) -> bytes:
        """Return the answer as one JSON document, choices in the order of their index."""
        return orjson.dumps(
            {
                **self._head,
                "object": self._shape.object_name,
                "choices": self._choices(),
                "usage": usage_json(usage, timing),
            }
        )

    def _choices(self) -> Sequence[Json]:
        texts: list[list[str]] = [[] for _ in range(self._num_choices)]
        reasons = ["stop"] * self._num_choices
        for delta in self._taken:
            texts[delta.sequence_index].append(delta.text)
            reasons[delta.sequence_index] = delta.finish_reason or reasons[delta.sequence_index]
        return [
            self._shape.choice(index, "".join(parts), reasons[index])
            for index, parts in enumerate(texts)
        ]

    def _template(self, index: int) -> tuple[bytes, bytes]:
        before, after = self._event([self._shape.piece(index, _MARK)]).split(_MARK_JSON)
        return before, after

    def _event(self, choices: Sequence[Json], **fields: Json) -> bytes:
        chunk = {
            **self._head,
            "object": self._shape.chunk_object_name,
            "choices": choices,
            **self._usage_field,
            **fields,
        }
        return sse.event(orjson.dumps(chunk))


def usage_json(usage: Usage, timing: Timing | None = None) -> Json:
    """Return the token counts as OpenAI writes them, and how long it took."""
    counts = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
    return counts if timing is None else {**counts, "x_conch": timing_json(timing)}


def timing_json(timing: Timing) -> Json:
    """Return how long a generation took."""
    return {
        "queue_ms": _milliseconds(timing.queue_s),
        "ttft_ms": _milliseconds(timing.first_token_s),
        "tokens_per_second": timing.tokens_per_second and round(timing.tokens_per_second, 1),
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
