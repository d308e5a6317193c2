"""The fields that the endpoints which generate text share; findings are worded in `validation`.

Fields are OpenAI's, then those that local servers have made customary. A field whose name begins
with `x_` is the client's own and means nothing here; any other unknown field is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from frontend_api.domain.answer import AnswerRules
from frontend_api.domain.generation import GenerationRequest, Guide, Prompt
from frontend_api.web.details import Details
from frontend_api.web.validation import refused, wrong_type
from frontend_api.web.wire_base import TextPart, Unsupported, Wire
from frontend_api.web.wire_formats import GuideSchema, GuideText, json_guide

__all__ = [
    "MAX_CHOICES",
    "SamplerIn",
    "SamplingIn",
    "StopText",
    "StopTexts",
    "StreamOptions",
    "TextPart",
    "TokenCount",
    "Unsupported",
    "Wire",
]

MAX_CHOICES = 128
MAX_TOKEN_ID = 2**31 - 1
_MAX_INT32 = 2**31 - 1
_MAX_INT64 = 2**63 - 1
_MAX_BIASES = 1024
_MAX_ID_DIGITS = 10
# OpenAI takes 0, samplers do not: a mass this small holds the likeliest token only.
_LEAST_TOP_P = 1e-6


def _as_list(value: object) -> object:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return value
    raise wrong_type("a string or array of strings")


def _check_bias_ids(value: Mapping[str, float]) -> Mapping[str, float]:
    for name in value:
        is_number = name.isascii() and name.isdigit() and len(name) <= _MAX_ID_DIGITS
        if not is_number or int(name) > MAX_TOKEN_ID:
            raise refused("Invalid key in '{param}': keys must be token ids.", "invalid_value")
    if len(value) > _MAX_BIASES:
        raise refused(
            f"Invalid '{{param}}': at most {_MAX_BIASES} tokens can have a bias.", "invalid_value"
        )
    return value


StopText = Annotated[str, Field(min_length=1, max_length=256)]
FewStopTexts = Annotated[list[StopText], Field(max_length=4)]
StopTexts = Annotated[
    list[StopText],
    Field(max_length=4, fail_fast=True),
    BeforeValidator(_as_list, json_schema_input_type=StopText | FewStopTexts),
]
TokenCount = Annotated[int, Field(ge=1, le=_MAX_INT32)]
TokenId = Annotated[int, Field(ge=0, le=MAX_TOKEN_ID)]
Penalty = Annotated[float, Field(ge=-2.0, le=2.0, allow_inf_nan=False)]
Bias = Annotated[float, Field(ge=-100.0, le=100.0, allow_inf_nan=False)]
LogitBias = Annotated[dict[str, Bias], AfterValidator(_check_bias_ids)]


class StreamOptions(Wire):
    """What a stream carries beside its text."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None
    continuous_usage_stats: bool | None = None


class SamplerIn(Wire):
    """The fields that every endpoint which generates text takes."""

    model_config = ConfigDict(json_schema_extra={"patternProperties": {"^x_": {}}})

    model: Annotated[str, Field(min_length=1, max_length=256)]
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] | None = None
    top_p: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    stop: StopTexts | None = None
    seed: Annotated[int, Field(ge=-_MAX_INT64 - 1, le=_MAX_INT64)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: LogitBias | None = None
    stream: bool | None = None
    user: Annotated[str, Field(max_length=512)] | None = None

    top_k: Annotated[int, Field(ge=0, le=_MAX_INT32)] | None = None
    min_p: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0.0, le=10.0)] | None = None
    min_tokens: Annotated[int, Field(ge=0, le=_MAX_INT32)] | None = None
    ignore_eos: bool | None = None
    stop_token_ids: Annotated[list[TokenId], Field(max_length=64, fail_fast=True)] | None = None
    guided_json: GuideSchema | None = None
    guided_regex: GuideText | None = None
    guided_grammar: GuideText | None = None

    @model_validator(mode="before")
    @classmethod
    def _leave_out_private_fields(cls, value: object) -> object:
        if isinstance(value, dict) and any(name.startswith("x_") for name in value):
            kept = cls.model_fields
            return {
                name: field
                for name, field in value.items()
                if name in kept or not name.startswith("x_")
            }
        return value

    @model_validator(mode="after")
    def _has_one_guide(self) -> Self:
        names = list(self.guides())
        if len(names) > 1:
            raise refused(
                f"Invalid value for '{names[1]}': it cannot be combined with '{names[0]}'.",
                "invalid_value",
                at=names[1],
            )
        return self

    def guides(self) -> Mapping[str, Guide]:
        """Return what the answer is held to, by the field that says so; one at most."""
        found: dict[str, Guide] = {}
        if self.guided_json is not None:
            found["guided_json"] = json_guide(self.guided_json)
        if self.guided_regex is not None:
            found["guided_regex"] = Guide("regex", self.guided_regex)
        if self.guided_grammar is not None:
            found["guided_grammar"] = Guide("ebnf_grammar", self.guided_grammar)
        return found

    def generation(
        self, prompt: Prompt, max_tokens: int | None, renamed: Mapping[str, str]
    ) -> GenerationRequest:
        """Return the generation this asks for, with OpenAI's defaults."""
        source, guide = next(iter(self.guides().items()), ("response_format", None))
        biases = self.logit_bias or {}
        return GenerationRequest(
            model=self.model,
            prompt=prompt,
            stream=bool(self.stream),
            max_tokens=max_tokens,
            min_tokens=self.min_tokens,
            temperature=1.0 if self.temperature is None else self.temperature,
            top_p=1.0 if self.top_p is None else max(self.top_p, _LEAST_TOP_P),
            top_k=self.top_k,
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            seed=self.seed,
            stop=tuple(self.stop or ()),
            stop_token_ids=tuple(self.stop_token_ids or ()),
            ignore_eos=bool(self.ignore_eos),
            logit_bias={int(name): bias for name, bias in biases.items()},
            guide=guide,
            renamed={"response_format": source, **renamed},
        )


class SamplingIn(SamplerIn):
    """The fields that both completion endpoints share."""

    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = None
    max_tokens: TokenCount | None = None
    stream_options: StreamOptions | None = None
    return_token_ids: bool | None = None

    @model_validator(mode="after")
    def _has_stream_for_its_options(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise refused(
                "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
                None,
                at="stream_options",
            )
        return self

    @property
    def includes_usage(self) -> bool:
        """Whether the stream ends with a usage chunk."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    @property
    def has_continuous_usage(self) -> bool:
        """Whether every chunk says what was used so far."""
        return self.stream_options is not None and bool(self.stream_options.continuous_usage_stats)

    @property
    def num_kept(self) -> int:
        """Choices the client gets for each prompt."""
        return self.n or 1

    @property
    def num_tried(self) -> int:
        """Choices generated for each prompt."""
        return self.num_kept

    @property
    def num_top_log_probs(self) -> int | None:
        """Likeliest tokens told beside each; None without log probs."""
        return None

    def echoed(self) -> Mapping[str, object]:
        """Return the fields of the request that its answer repeats."""
        return {}

    def details(self, rules: AnswerRules) -> Details:
        """Return what is asked for beyond text."""
        return Details(
            rules=rules,
            num_top_log_probs=self.num_top_log_probs,
            has_token_ids=bool(self.return_token_ids),
            has_continuous_usage=self.has_continuous_usage,
            num_tried=self.num_tried,
            num_kept=self.num_kept,
        )
