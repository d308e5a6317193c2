"""The bodies of the original service's dialect, with its names, its defaults and our checks.

With a `session-id`, the history is the session's: of `messages` and `system-prompt` a new session
is made, for a stored one only the prompt is new. `device` says where a client wishes
the model to run; that was decided when the model was built, so any device it knew is welcome.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field

from frontend_api.domain.generation import ChatMessage, ChatPrompt, GenerationRequest, TextPrompt
from frontend_api.domain.messages import Said
from frontend_api.domain.model import ServedModel
from frontend_api.web.wire_base import SessionId, Unsupported, Wire

# The original takes 0, samplers do not: a mass this small holds the likeliest token only.
_LEAST_TOP_P: Final = 1e-6
_MAX_INT32: Final = 2**31 - 1
_COMPLETION_TOKENS: Final = 128
_CHAT_TOKENS: Final = 512
_TEMPERATURE: Final = 0.7
_TOP_P: Final = 0.95
_TOP_K: Final = 40
_REPEAT_PENALTY: Final = 1.1
_MAX_STOPS: Final = 64
_RENAMED: Final = {
    "model": "model-name",
    "max_tokens": "max-token",
    "top_p": "top-p",
    "top_k": "top-k",
    "repetition_penalty": "repeat-penalty",
}


ModelName = Annotated[str, Field(min_length=1, max_length=256)]
Temperature = Annotated[float, Field(ge=0.0, le=2.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Number = TypeVar("Number", int, float)
TokenCount = Annotated[int, Field(ge=1, le=_MAX_INT32)]
StopText = Annotated[str, Field(min_length=1, max_length=256)]
Stops = Annotated[list[StopText], Field(max_length=_MAX_STOPS, fail_fast=True)]


class OriginalCompletionIn(Wire):
    """Text to be continued; POST /completions."""

    model: ModelName
    prompt: Annotated[str, Field(min_length=1)]
    max_tokens: TokenCount | None = _COMPLETION_TOKENS
    temperature: Temperature | None = _TEMPERATURE
    top_p: Share | None = _TOP_P
    stop: Stops | None = None
    stream: bool | None = None

    def to_domain(self, defaulted: Callable[[int], int]) -> GenerationRequest:
        """Return the generation this asks for; defaulted: what the server makes of a default."""
        return GenerationRequest(
            model=self.model,
            prompt=TextPrompt(self.prompt),
            stream=bool(self.stream),
            max_tokens=_chosen(self, "max_tokens") or defaulted(_COMPLETION_TOKENS),
            temperature=_TEMPERATURE if self.temperature is None else self.temperature,
            top_p=max(_TOP_P if self.top_p is None else self.top_p, _LEAST_TOP_P),
            stop=tuple(self.stop or ()),
        )


class OriginalMessageIn(Wire):
    """One turn before the prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


class OriginalChatIn(Wire):
    """A prompt to be answered; POST /chat/completions and each message of WS /chat/ws."""

    model_name: ModelName = Field(alias="model-name")
    prompt: str
    messages: list[OriginalMessageIn] | None = None
    session_id: SessionId | None = Field(default=None, alias="session-id")
    model_dir: Unsupported = Field(default=None, alias="model-dir")
    max_token: TokenCount | None = Field(default=_CHAT_TOKENS, alias="max-token")
    temperature: Temperature | None = _TEMPERATURE
    top_p: Share | None = Field(default=_TOP_P, alias="top-p")
    top_k: Annotated[int, Field(ge=0, le=_MAX_INT32)] | None = Field(default=None, alias="top-k")
    repeat_penalty: Annotated[float, Field(gt=0.0, le=10.0)] | None = Field(
        default=None, alias="repeat-penalty"
    )
    system_prompt: str | None = Field(default=None, alias="system-prompt")
    stop: Stops | None = None
    device: Literal["cpu", "cuda", "metal"] | None = None
    stream: Literal[True] | None = None

    def to_domain(self, model: ServedModel, defaulted: Callable[[int], int]) -> GenerationRequest:
        """Return the generation this asks for; defaults that the model cannot do are left out."""
        return GenerationRequest(
            model=self.model_name,
            prompt=ChatPrompt(tuple(ChatMessage(turn.role, turn.text) for turn in self.turns())),
            stream=True,
            max_tokens=_chosen(self, "max_token") or defaulted(_CHAT_TOKENS),
            temperature=_TEMPERATURE if self.temperature is None else self.temperature,
            top_p=max(_TOP_P if self.top_p is None else self.top_p, _LEAST_TOP_P),
            top_k=_asked_or_able(self.top_k, _TOP_K, "top_k", model),
            repetition_penalty=_asked_or_able(
                self.repeat_penalty, _REPEAT_PENALTY, "repetition_penalty", model
            ),
            stop=tuple(self.stop or ()),
            renamed=_RENAMED,
        )

    def turns(self) -> Sequence[Said]:
        """Return all turns; the original's web UI repeats the prompt as the last of `messages`."""
        turns = [Said(message.role, message.content) for message in self.messages or ()]
        if self.system_prompt:
            turns.insert(0, Said("system", self.system_prompt))
        prompt = Said("user", self.prompt)
        return turns if turns and turns[-1] == prompt else [*turns, prompt]


class RollbackIn(Wire):
    """How many turns to drop."""

    amount: Annotated[int, Field(ge=0, le=_MAX_INT32)]


def _chosen(wire: Wire, name: str) -> int | None:
    """Return a count that the client has chosen, which is never 0."""
    value = getattr(wire, name) if name in wire.model_fields_set else None
    return value if isinstance(value, int) else None


def _asked_or_able(
    asked: Number | None, default: Number, feature: str, model: ServedModel
) -> Number | None:
    """Return what was asked for, refused later if the model cannot; else the default, if it can."""
    if asked is not None:
        return asked
    return default if model.can(feature) else None
