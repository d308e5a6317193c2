"""The body of POST /v1/chat/completions."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from frontend_api.domain.generation import ChatMessage, ChatPrompt, GenerationRequest
from frontend_api.web.validation import wrong_type
from frontend_api.web.wire import SamplingIn, TextPart, TokenCount, Unsupported, Wire

# Chat templates know the older name of the role.
_TEMPLATE_ROLE: Final = {"developer": "system"}


def _check_content(value: object) -> object:
    if not isinstance(value, str | list):
        raise wrong_type("a string or array of objects")
    return value


def _content_form(value: object) -> str:
    return "<text>" if isinstance(value, str) else "<parts>"


Parts = Annotated[list[TextPart], Field(min_length=1, fail_fast=True)]
Content = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[Parts, Tag("<parts>")],
    Discriminator(_content_form),
    BeforeValidator(_check_content),
]


class MessageIn(Wire):
    """One turn of the conversation."""

    role: Literal["system", "assistant", "user", "developer"]
    content: Content
    name: Annotated[str, Field(max_length=256)] | None = None
    refusal: Unsupported = None
    audio: Unsupported = None
    function_call: Unsupported = None
    tool_calls: Unsupported = None
    tool_call_id: Unsupported = None

    def to_domain(self) -> ChatMessage:
        """Return the turn as the chat template takes it."""
        text = self.content
        if not isinstance(text, str):
            text = "".join(part.text for part in text)
        return ChatMessage(_TEMPLATE_ROLE.get(self.role, self.role), text, self.name)


class ChatCompletionIn(SamplingIn):
    """A conversation to be continued."""

    messages: Annotated[list[MessageIn], Field(min_length=1, fail_fast=True)]
    max_completion_tokens: TokenCount | None = None
    audio: Unsupported = None
    function_call: Unsupported = None
    functions: Unsupported = None
    logprobs: Unsupported = None
    metadata: Unsupported = None
    modalities: Unsupported = None
    parallel_tool_calls: Unsupported = None
    prediction: Unsupported = None
    reasoning_effort: Unsupported = None
    response_format: Unsupported = None
    service_tier: Unsupported = None
    store: Unsupported = None
    tool_choice: Unsupported = None
    tools: Unsupported = None
    top_logprobs: Unsupported = None
    verbosity: Unsupported = None
    web_search_options: Unsupported = None

    def to_domain(self) -> list[GenerationRequest]:
        """Return the one generation this asks for."""
        prompt = ChatPrompt(tuple(message.to_domain() for message in self.messages))
        if self.max_completion_tokens is None:
            return [self.generation(prompt, self.max_tokens, {"prompt": "messages"})]
        renamed = {"prompt": "messages", "max_tokens": "max_completion_tokens"}
        return [self.generation(prompt, self.max_completion_tokens, renamed)]
