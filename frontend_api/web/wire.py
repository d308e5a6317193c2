"""The JSON that clients send, as strict types; findings are worded in `validation`.

Fields are OpenAI's, then those that local servers have made customary. A field of
OpenAI's that is not served yet is declared `Unsupported`: refused by name unless null or false.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from frontend_api.domain.generation import GenerationRequest, Prompt
from frontend_api.web.validation import not_supported, refused, wrong_type

MAX_CHOICES = 128
_MAX_INT32 = 2**31 - 1
_MAX_INT64 = 2**63 - 1
# OpenAI takes 0, samplers do not: a mass this small holds the likeliest token only.
_LEAST_TOP_P = 1e-6


def _refuse(value: object) -> None:
    if value is not None and value is not False:
        raise not_supported()


def _as_list(value: object) -> object:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return value
    raise wrong_type("a string or array of strings")


Unsupported = Annotated[None, BeforeValidator(_refuse)]
StopText = Annotated[str, Field(min_length=1, max_length=256)]
StopTexts = Annotated[
    list[StopText], Field(max_length=4, fail_fast=True), BeforeValidator(_as_list)
]
TokenCount = Annotated[int, Field(ge=1, le=_MAX_INT32)]
Penalty = Annotated[float, Field(ge=-2.0, le=2.0, allow_inf_nan=False)]


class Wire(BaseModel):
    """A JSON object of a request: exact types, no unknown field."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class StreamOptions(Wire):
    """What a stream carries beside its text."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class SamplingIn(Wire):
    """The fields that both completion endpoints share."""

    model: Annotated[str, Field(min_length=1, max_length=256)]
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] | None = None
    top_p: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = None
    max_tokens: TokenCount | None = None
    stop: StopTexts | None = None
    seed: Annotated[int, Field(ge=-_MAX_INT64 - 1, le=_MAX_INT64)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: Annotated[str, Field(max_length=512)] | None = None
    logit_bias: Unsupported = None

    top_k: Annotated[int, Field(ge=0, le=_MAX_INT32)] | None = None
    min_p: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0.0, le=10.0)] | None = None
    min_tokens: Annotated[int, Field(ge=0, le=_MAX_INT32)] | None = None
    ignore_eos: bool | None = None

    @field_validator("stream_options")
    @classmethod
    def _only_with_stream(
        cls, value: StreamOptions | None, info: ValidationInfo
    ) -> StreamOptions | None:
        if value is not None and not info.data.get("stream"):
            raise refused(
                "The 'stream_options' parameter is only allowed when 'stream' is enabled.", None
            )
        return value

    @property
    def includes_usage(self) -> bool:
        """Whether the stream ends with a usage chunk."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    def generation(
        self, prompt: Prompt, max_tokens: int | None, renamed: dict[str, str]
    ) -> GenerationRequest:
        """Return the generation this asks for, with OpenAI's defaults."""
        return GenerationRequest(
            model=self.model,
            prompt=prompt,
            stream=bool(self.stream),
            n=1 if self.n is None else self.n,
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
            ignore_eos=bool(self.ignore_eos),
            renamed=renamed,
        )


class TextPart(Wire):
    """A piece of text inside a message."""

    type: Literal["text"]
    text: str
