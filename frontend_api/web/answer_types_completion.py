"""The answers of the completion endpoints, whole and in chunks."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from frontend_api.web.answer_types import Answer

Count = Annotated[int, Field(ge=0)]
ChatReason = Literal["stop", "length", "tool_calls"]
TextReason = Literal["stop", "length"]
_WITH_SESSION: Final = "With `session` or `store`; in a stream with its first and last chunk."
LogProb = Annotated[float, Field(le=0, ge=-9999)]


class PromptTokensDetails(Answer):
    """Of the prompt's tokens."""

    cached_tokens: Count
    audio_tokens: Literal[0]


class CompletionTokensDetails(Answer):
    """Of the answer's tokens."""

    reasoning_tokens: Count
    audio_tokens: Literal[0]
    accepted_prediction_tokens: Literal[0]
    rejected_prediction_tokens: Literal[0]


class Timing(Answer):
    """How long it took; null for what did not happen."""

    queue_ms: float | None
    ttft_ms: float | None
    tokens_per_second: float | None


class Usage(Answer):
    """Tokens counted; the time it took is told with the last count only."""

    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails
    x_conch: Timing | None = None


class TopLogProb(Answer):
    """A token that might have been chosen."""

    token: str
    logprob: LogProb
    bytes: list[int]


class TokenLogProb(TopLogProb):
    """A token that was chosen, and the likeliest in its place."""

    top_logprobs: list[TopLogProb]


class ChatLogProbs(Answer):
    """The tokens of a chat's answer."""

    content: list[TokenLogProb]
    refusal: None


class TextLogProbs(Answer):
    """The tokens of a text's continuation, one entry each."""

    tokens: list[str]
    token_logprobs: list[LogProb | None]
    top_logprobs: list[dict[str, LogProb] | None] | None
    text_offset: list[Count]


class CalledFunction(Answer):
    """Which function, and its arguments as JSON text."""

    name: str
    arguments: str


class ToolCall(Answer):
    """A call that the model wants to be made."""

    id: str = Field(min_length=1)
    type: Literal["function"]
    function: CalledFunction


class ChatAnswerMessage(Answer):
    """What the model said."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    reasoning_content: str = ""
    tool_calls: list[ToolCall] = Field(default_factory=list, min_length=1)


class ChatChoice(Answer):
    """One of `n` answers."""

    index: Count
    message: ChatAnswerMessage
    logprobs: ChatLogProbs | None
    finish_reason: ChatReason
    token_ids: list[Count] = Field(default=[], description="With `return_token_ids`.")
    prompt_token_ids: list[Count] | None = Field(
        default=None, description="With `return_token_ids`."
    )


class Head(Answer):
    """What every answer and all of its chunks begin with."""

    created: int = Field(description="Seconds since 1970.")
    model: str
    system_fingerprint: str
    service_tier: Literal["default"] = "default"


class SessionTurn(Answer):
    """Where a stored answer is; `saved` once all of it is in the store."""

    id: str
    message_id: str
    saved: bool
    num_dropped: Count = Field(description="Oldest messages that did not fit into the context.")


class ChatPlace(Answer):
    """With `session` or `store`."""

    session: SessionTurn


class ChatCompletion(Head):
    """The answer to a conversation."""

    id: str = Field(pattern="^chatcmpl-")
    object: Literal["chat.completion"]
    choices: list[ChatChoice] = Field(min_length=1)
    usage: Usage
    x_conch: ChatPlace | None = Field(default=None, description=_WITH_SESSION)


class FunctionPiece(Answer):
    """The name comes with the first piece of a call, its arguments with those after."""

    name: str = ""
    arguments: str


class ToolCallPiece(Answer):
    """A piece of a call; id and type come with the first."""

    index: Count
    id: str = Field(default_factory=str, min_length=1)
    type: Literal["function"] = "function"
    function: FunctionPiece


class ChatDelta(Answer):
    """A piece of the answer; the role comes once, first."""

    role: Literal["assistant"] = "assistant"
    content: str | None = ""
    reasoning_content: str = ""
    tool_calls: list[ToolCallPiece] = Field(default_factory=list)


class ChatChunkChoice(Answer):
    """A piece of one of `n` answers."""

    index: Count
    delta: ChatDelta
    logprobs: ChatLogProbs | None
    finish_reason: ChatReason | None
    token_ids: list[Count] = Field(default=[], description="With `return_token_ids`.")


class ChatCompletionChunk(Head):
    """One event of a streamed conversation; the last one with usage has no choices."""

    id: str = Field(pattern="^chatcmpl-")
    object: Literal["chat.completion.chunk"]
    choices: list[ChatChunkChoice]
    usage: Usage | None = None
    x_conch: ChatPlace | None = Field(default=None, description=_WITH_SESSION)


class TextChoice(Answer):
    """One continuation, prompt-major."""

    index: Count
    text: str
    logprobs: TextLogProbs | None
    finish_reason: TextReason
    token_ids: list[Count] = Field(default=[], description="With `return_token_ids`.")
    prompt_token_ids: list[Count] | None = Field(
        default=None, description="With `return_token_ids`."
    )


class TextCompletion(Head):
    """The continuations of a text or several."""

    id: str = Field(pattern="^cmpl-")
    object: Literal["text_completion"]
    choices: list[TextChoice] = Field(min_length=1)
    usage: Usage


class TextChunkChoice(Answer):
    """A piece of one continuation."""

    index: Count
    text: str
    logprobs: TextLogProbs | None
    finish_reason: TextReason | None
    token_ids: list[Count] = Field(default=[], description="With `return_token_ids`.")


class TextCompletionChunk(Head):
    """One event of a streamed continuation; the last one with usage has no choices."""

    id: str = Field(pattern="^cmpl-")
    object: Literal["text_completion"]
    choices: list[TextChunkChoice]
    usage: Usage | None = None
