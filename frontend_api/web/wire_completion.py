"""The body of POST /v1/completions."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final, Self

from pydantic import Field, PlainValidator, model_validator

from frontend_api.domain.answer import AnswerRules
from frontend_api.domain.generation import GenerationRequest, Prompt, TextPrompt, TokenPrompt
from frontend_api.web.details import Details
from frontend_api.web.validation import refused, wrong_type
from frontend_api.web.wire import MAX_CHOICES, MAX_TOKEN_ID, SamplingIn, TokenId
from frontend_api.web.wire_base import Unsupported

# OpenAI's default for this endpoint.
_DEFAULT_MAX_TOKENS: Final = 16
# OpenAI's bound.
_MAX_BEST_OF: Final = 20
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
        and all(type(item) is int and 0 <= item <= MAX_TOKEN_ID for item in value)
    )


TokenIds = Annotated[list[TokenId], Field(min_length=1)]
PromptText = Annotated[str, Field(min_length=1)]
PromptForms = PromptText | TokenIds | Annotated[list[PromptText | TokenIds], Field(min_length=1)]


class CompletionIn(SamplingIn):
    """Text, or several texts, to be continued."""

    prompt: Annotated[
        tuple[Prompt, ...], PlainValidator(_read_prompts, json_schema_input_type=PromptForms)
    ]
    best_of: Annotated[int, Field(ge=1, le=_MAX_BEST_OF)] | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    suffix: Unsupported = None

    @model_validator(mode="after")
    def _has_few_enough_choices(self) -> Self:
        if len(self.prompt) * self.num_tried > MAX_CHOICES:
            raise refused(
                f"Invalid 'prompt': prompts times 'n' must be at most {MAX_CHOICES}.",
                "array_above_max_length",
                at="prompt",
            )
        return self

    @model_validator(mode="after")
    def _tries_at_least_as_many_as_it_keeps(self) -> Self:
        if self.num_tried < self.num_kept:
            raise refused(
                "You requested that the server return more choices than it will generate (HINT: "
                f"you must set 'best_of' (currently {self.best_of}) to be at least 'n' (currently "
                f"{self.num_kept}), or omit either parameter if you don't specifically want to "
                "use them.)",
                "invalid_value",
                at="best_of",
            )
        if self.num_tried > self.num_kept and self.stream:
            raise refused(
                "Results cannot be streamed when 'best_of' is greater than 'n'.",
                "invalid_value",
                at="best_of",
            )
        return self

    @model_validator(mode="after")
    def _echoes_without_log_probs(self) -> Self:
        if self.echo and self.logprobs is not None:
            raise refused(
                "Unsupported parameter: 'echo' is not supported together with 'logprobs': no model "
                "here gives the log probabilities of its prompt.",
                "unsupported_parameter",
                at="echo",
            )
        return self

    @property
    def num_top_log_probs(self) -> int | None:
        """Likeliest tokens told beside each; None without log probs."""
        return self.logprobs

    @property
    def num_tried(self) -> int:
        """Choices generated for each prompt."""
        return self.num_kept if self.best_of is None else self.best_of

    def _num_top_asked(self) -> int:
        number = self.logprobs or 0
        # Without sampling the chosen token is the likeliest, which needs no further capability.
        return 0 if number == 1 and self.temperature == 0 else number

    def details(self, rules: AnswerRules) -> Details:
        """Return what is asked for beyond text; the ids of a prompt are known if it was ids."""
        ids = [prompt.ids if isinstance(prompt, TokenPrompt) else None for prompt in self.prompt]
        return replace(super().details(rules), prompt_ids=ids if self.return_token_ids else ())

    def to_domain(self) -> list[GenerationRequest]:
        """Return one generation for each prompt."""
        limit = _DEFAULT_MAX_TOKENS if self.max_tokens is None else self.max_tokens
        is_ranked = self.num_tried > self.num_kept
        renamed = {"top_logprobs": "logprobs"}
        if is_ranked:
            renamed["n"] = "best_of"
            if self.logprobs is None:
                renamed["logprobs"] = "best_of"
        return [
            replace(
                self.generation(prompt, limit, renamed),
                n=self.num_tried,
                needs_tokens=bool(self.return_token_ids),
                echo=bool(self.echo),
                log_probs=is_ranked or self.logprobs is not None,
                top_log_probs=self._num_top_asked(),
            )
            for prompt in self.prompt
        ]
