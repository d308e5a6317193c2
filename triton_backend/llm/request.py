"""What one client asked for, checked and typed; knows no tensors and no engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .json_values import JsonObject

Task = Literal["generate", "tokenize", "detokenize", "describe"]
GuideKind = Literal["json", "json_schema", "regex", "ebnf_grammar"]


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """A raw prompt, tokenized with the tokenizer's own special tokens."""

    text: str


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """Messages for the chat template, which writes the special tokens itself."""

    messages: tuple[JsonObject, ...]
    tools: tuple[JsonObject, ...]
    template_kwargs: JsonObject


@dataclass(frozen=True, slots=True)
class TokenPrompt:
    """Token ids, used as they are."""

    ids: tuple[int, ...]


Prompt = TextPrompt | ChatPrompt | TokenPrompt


@dataclass(frozen=True, slots=True)
class Guide:
    """What the output must conform to; `text` is empty for kind "json" (any JSON object)."""

    kind: GuideKind
    text: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen; a default means "not asked for"."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    min_tokens: int = 0
    ignore_eos: bool = False
    log_probs: bool = False
    top_log_probs: int = 0
    logit_bias: Mapping[int, float] | None = None
    guide: Guide | None = None
    lora_name: str | None = None


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One inference request; `seed` None means random, `max_tokens` None all that is left."""

    task: Task
    prompt: Prompt | None
    sampling: Sampling
    max_tokens: int | None
    seed: int | None
    end_id: int | None
    stop_token_ids: tuple[int, ...]
    stop_words: tuple[str, ...]
    n: int
    is_stream: bool
    is_acknowledged: bool
    has_echo: bool
