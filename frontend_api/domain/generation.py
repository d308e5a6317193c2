"""One model run: what is asked for, and the pieces that come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal, NamedTuple

GuideKind = Literal["json", "json_schema", "regex", "ebnf_grammar"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn of a conversation, as the chat template sees it."""

    role: str
    content: str | None
    name: str | None = None
    reasoning: str | None = None
    calls: tuple[MadeCall, ...] = ()
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class MadeCall:
    """A tool call of an earlier turn; `arguments` is the JSON text the model wrote."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """A conversation; the model's own chat template turns it into text.

    tools: a JSON array of the tools the template shows to the model; "" for none.
    template_kwargs: a JSON object of further variables of the template; "" for none.
    """

    messages: tuple[ChatMessage, ...]
    tools: str = ""
    template_kwargs: str = ""


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """Text that goes to the model as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class TokenPrompt:
    """Token ids that go to the model as they are."""

    ids: tuple[int, ...]


Prompt = ChatPrompt | TextPrompt | TokenPrompt


@dataclass(frozen=True, slots=True)
class Guide:
    """What the answer must conform to; `text` is "" for kind `json`: any object."""

    kind: GuideKind
    text: str = ""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """What the model may do with the tools it was given.

    is_forced: the answer is a call and nothing else; `named`: of this function.
    """

    names: frozenset[str]
    is_forced: bool = False
    named: str | None = None
    is_parallel: bool = True

    @property
    def ends_early(self) -> bool:
        """Whether the model may go on after the last call that is wanted."""
        return not self.is_parallel and not self.is_forced


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """One prompt and how to continue it; None means "the model's own default".

    lora_name: the adapter of the model to use.
    needs_tokens: deltas carry their tokens one by one, and their log probs with `log_probs`.
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
    stop_token_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    log_probs: bool = False
    top_log_probs: int = 0
    guide: Guide | None = None
    echo: bool = False
    tool_use: ToolUse | None = None
    reasoning_effort: str | None = None
    lora_name: str | None = None
    needs_tokens: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)

    def client_name(self, name: str) -> str:
        """Return what the client calls this field."""
        return self.renamed.get(name, name)


class Accepted(NamedTuple):
    """The backend has checked the request and queued it."""

    num_input_tokens: int


class Token(NamedTuple):
    """One output token; `text` is part of a character now and then.

    alternatives: the likeliest tokens of this place, as OpenAI's JSON array; b"" unless asked.
    """

    id: int
    text: bytes
    log_prob: float | None = None
    alternatives: bytes = b""


class Delta(NamedTuple):
    """One streamed piece of one sequence; `finish_reason` is set on the sequence's last."""

    sequence_index: int
    text: str
    num_output_tokens: int = 0
    finish_reason: str | None = None
    tokens: tuple[Token, ...] = ()
    num_cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a generation took so far; None where nothing has happened yet.

    The rate is over the whole time, queue and prompt included: merged deltas cannot flatter it.
    """

    queue_s: float | None
    first_token_s: float | None
    tokens_per_second: float | None

    @property
    def queue_ms(self) -> float | None:
        """The time until the model took it, as logs have it."""
        return None if self.queue_s is None else round(self.queue_s * 1000, 1)


@dataclass(slots=True)
class Usage:
    """Tokens of a generation so far; exact once it has ended."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0


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
        tokens=tuple(chain.from_iterable(part.tokens for part in parts)),
    )
