"""One model run: what is asked for, and the pieces that come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn of a conversation, as the chat template sees it."""

    role: str
    content: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """A conversation; the model's own chat template turns it into text."""

    messages: tuple[ChatMessage, ...]


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """Text that goes to the model as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class TokenPrompt:
    """Token ids that go to the model as they are."""

    ids: tuple[int, ...]


Prompt = ChatPrompt | TextPrompt | TokenPrompt


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """One prompt and how to continue it; None means "the model's own default".

    renamed: what the client calls a field where it differs from the name here
    (`max_tokens` → `max_completion_tokens`), for the `param` of errors.
    """

    model: str
    prompt: Prompt
    stream: bool = False
    n: int = 1
    max_tokens: int | None = None
    min_tokens: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)

    def client_name(self, name: str) -> str:
        """Return what the client calls this field."""
        return self.renamed.get(name, name)


class Accepted(NamedTuple):
    """The backend has checked the request and queued it."""

    num_input_tokens: int


class Delta(NamedTuple):
    """One streamed piece of one sequence; `finish_reason` is set on the sequence's last."""

    sequence_index: int
    text: str
    num_output_tokens: int = 0
    finish_reason: str | None = None


@dataclass(slots=True)
class Usage:
    """Tokens of a generation so far; exact once it has ended."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int | None = None


def merge(deltas: Sequence[Delta]) -> Sequence[Delta]:
    """Join neighbouring pieces of each sequence, so that a late reader gets one piece each.

    Order within a sequence is kept; sequences come in the order they first appear.
    """
    if len(deltas) == 1:
        return deltas
    pieces: dict[int, list[Delta]] = {}
    for delta in deltas:
        pieces.setdefault(delta.sequence_index, []).append(delta)
    return [_joined(parts) for parts in pieces.values()]


def _joined(parts: Sequence[Delta]) -> Delta:
    last = parts[-1]
    return last._replace(
        text="".join(part.text for part in parts),
        num_output_tokens=sum(part.num_output_tokens for part in parts),
    )
