"""The body of POST /v1/completions."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import PlainValidator, ValidationInfo, field_validator

from frontend_api.domain.generation import GenerationRequest, Prompt, TextPrompt, TokenPrompt
from frontend_api.web.validation import refused, wrong_type
from frontend_api.web.wire import MAX_CHOICES, SamplingIn, Unsupported

# OpenAI's default for this endpoint.
_DEFAULT_MAX_TOKENS: Final = 16
_MAX_TOKEN_ID: Final = 2**31 - 1
_EMPTY_PROMPT: Final = (
    "Invalid 'prompt': empty string. Expected a string with minimum length 1, "
    "but got an empty string instead."
)
_EMPTY_PROMPTS: Final = (
    "Invalid 'prompt': empty array. Expected an array with minimum length 1, "
    "but got an empty array instead."
)
_FORMS: Final = (
    "a string, array of strings, array of token integers or array of token integer arrays"
)


def _read_prompts(value: object) -> tuple[Prompt, ...]:
    if isinstance(value, str) or _are_tokens(value):
        return (_read_prompt(value),)
    if not isinstance(value, list):
        raise wrong_type(_FORMS)
    if not value:
        raise refused(_EMPTY_PROMPTS, "empty_array")
    return tuple(_read_prompt(item) for item in value)


def _read_prompt(value: object) -> Prompt:
    if isinstance(value, str):
        if not value:
            raise refused(_EMPTY_PROMPT, "empty_string")
        return TextPrompt(value)
    if isinstance(value, list) and _are_tokens(value):
        return TokenPrompt(tuple(value))
    raise wrong_type(_FORMS)


def _are_tokens(value: object) -> bool:
    """Whether this is a list of token ids; a bool is an int to Python, but no token."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(type(item) is int and 0 <= item <= _MAX_TOKEN_ID for item in value)
    )


class CompletionIn(SamplingIn):
    """Text, or several texts, to be continued."""

    prompt: Annotated[tuple[Prompt, ...], PlainValidator(_read_prompts)]
    best_of: Unsupported = None
    echo: Unsupported = None
    logprobs: Unsupported = None
    suffix: Unsupported = None

    @field_validator("prompt")
    @classmethod
    def _few_enough(cls, value: tuple[Prompt, ...], info: ValidationInfo) -> tuple[Prompt, ...]:
        if len(value) * (info.data.get("n") or 1) > MAX_CHOICES:
            raise refused(
                f"Invalid 'prompt': prompts times 'n' must be at most {MAX_CHOICES}.",
                "array_above_max_length",
            )
        return value

    def to_domain(self) -> list[GenerationRequest]:
        """Return one generation for each prompt."""
        limit = _DEFAULT_MAX_TOKENS if self.max_tokens is None else self.max_tokens
        return [self.generation(prompt, limit, {}) for prompt in self.prompt]
