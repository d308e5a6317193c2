"""The body of POST /v1/chat/completions.

What is accepted and changes nothing: `user`, `metadata`, `prompt_cache_key`, `safety_identifier`
and `service_tier` (there is one tier). `session` and `store` make it a turn of a stored session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal, Self

import orjson
from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from frontend_api.domain.generation import ChatPrompt, GenerationRequest, Guide
from frontend_api.web.validation import refused
from frontend_api.web.wire import SamplingIn, TokenCount
from frontend_api.web.wire_base import JsonObject, SessionId, Unsupported
from frontend_api.web.wire_formats import ResponseFormat
from frontend_api.web.wire_messages import (
    MessageIn,
    check_calls_are_answered,
    check_results_and_calls,
)
from frontend_api.web.wire_tools import (
    NamedChoice,
    ToolChoice,
    Tools,
    check_choice_exists,
    check_names_differ,
    tool_guide,
    tool_use,
    tools_json,
)

_MAX_PAIRS = 16
_MAX_KEY_CHARS, _MAX_VALUE_CHARS = 64, 512


def _check_metadata(value: Mapping[str, str]) -> Mapping[str, str]:
    if len(value) > _MAX_PAIRS:
        raise refused(
            f"Invalid '{{param}}': too many properties. Expected an object with at most "
            f"{_MAX_PAIRS} properties, but got an object with {len(value)} properties instead.",
            "object_above_max_properties",
        )
    if any(len(key) > _MAX_KEY_CHARS for key in value):
        raise refused(
            f"Invalid key in '{{param}}': a key may have at most {_MAX_KEY_CHARS} characters.",
            "string_above_max_length",
        )
    return value


Metadata = Annotated[
    dict[str, Annotated[str, Field(max_length=_MAX_VALUE_CHARS)]], AfterValidator(_check_metadata)
]
Messages = Annotated[
    list[MessageIn], Field(min_length=1, fail_fast=True), AfterValidator(check_calls_are_answered)
]


def _check_by_session(messages: Sequence[MessageIn], fields: ValidationInfo) -> object:
    is_continued = fields.data.get("session") is not None
    return (check_results_and_calls if is_continued else check_calls_are_answered)(messages)


Turn = Annotated[
    list[MessageIn], Field(min_length=1, fail_fast=True), AfterValidator(_check_by_session)
]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


class ChatCompletionIn(SamplingIn):
    """A conversation to be continued."""

    # Before the messages, whose check depends on it.
    session: SessionId | None = None
    messages: Turn
    max_completion_tokens: TokenCount | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    tools: Annotated[Tools, AfterValidator(check_names_differ)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Effort | None = None
    metadata: Metadata | None = None
    modalities: Annotated[list[Literal["text"]], Field(min_length=1)] | None = None
    service_tier: Literal["auto", "default"] | None = None
    prompt_cache_key: Annotated[str, Field(max_length=512)] | None = None
    safety_identifier: Annotated[str, Field(max_length=512)] | None = None
    store: bool | None = None
    audio: Unsupported = None
    function_call: Unsupported = None
    functions: Unsupported = None
    prediction: Unsupported = None
    verbosity: Unsupported = None
    web_search_options: Unsupported = None

    chat_template_kwargs: JsonObject | None = None

    @model_validator(mode="after")
    def _asks_for_top_log_probs_with_log_probs(self) -> Self:
        if self.top_logprobs is not None and not self.logprobs:
            raise refused(
                "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
                None,
                at="top_logprobs",
            )
        return self

    @model_validator(mode="after")
    def _chooses_among_its_tools(self) -> Self:
        if self.tool_choice is not None:
            check_choice_exists(self.tool_choice, self.tools or ())
        if self.parallel_tool_calls is not None and not self.tools:
            raise refused(
                "Invalid value for '{param}': '{param}' is only allowed when 'tools' are "
                "specified.",
                None,
                at="parallel_tool_calls",
            )
        return self

    @model_validator(mode="after")
    def _can_be_stored(self) -> Self:
        if self.session is not None and self.store is False:
            raise refused(
                "Invalid value for 'store': a turn of a session is stored.",
                "invalid_value",
                at="store",
            )
        for name in self._not_kept() if self.is_stored else ():
            raise refused(
                "Unsupported parameter: '{param}' is not supported with a stored session.",
                "unsupported_parameter",
                at=name,
            )
        return self

    def _not_kept(self) -> Sequence[str]:
        """Return the fields in use for which a stored answer has no place."""
        named = [f"messages[{at}].name" for at, each in enumerate(self.messages) if each.name]
        in_use = {
            "n": self.num_kept > 1,
            "logprobs": bool(self.logprobs),
            "return_token_ids": bool(self.return_token_ids),
            "stream_options.continuous_usage_stats": self.has_continuous_usage,
        }
        return [*(name for name, is_used in in_use.items() if is_used), *named]

    @property
    def is_stored(self) -> bool:
        """Whether this is a turn of a stored session."""
        return self.session is not None or bool(self.store)

    @property
    def num_top_log_probs(self) -> int | None:
        """Likeliest tokens told beside each; None without log probs."""
        return (self.top_logprobs or 0) if self.logprobs else None

    def echoed(self) -> Mapping[str, object]:
        """Return the fields of the request that its answer repeats."""
        return {} if self.service_tier is None else {"service_tier": "default"}

    def guides(self) -> Mapping[str, Guide]:
        """Return what the answer is held to; a forced call comes before any format."""
        found = dict(super().guides())
        guide = None if self.response_format is None else self.response_format.guide()
        return found if guide is None else {"response_format": guide, **found}

    def to_domain(self) -> list[GenerationRequest]:
        """Return the one generation this asks for."""
        tools = self.tools or ()
        use = tool_use(tools, self.tool_choice, is_parallel=self.parallel_tool_calls is not False)
        prompt = ChatPrompt(
            messages=tuple(message.to_domain() for message in self.messages),
            # A model that must not call anything is shown nothing to call.
            tools=tools_json(tools) if use is not None else "",
            template_kwargs=template_kwargs(self.reasoning_effort, self.chat_template_kwargs),
        )
        request = replace(
            self._generation(prompt),
            n=self.num_tried,
            needs_tokens=bool(self.return_token_ids),
            tool_use=use,
            # Whoever wants the first call only must see it come, to stop there.
            stream=bool(self.stream) or (use is not None and use.ends_early),
            log_probs=bool(self.logprobs),
            top_log_probs=self.top_logprobs or 0,
            reasoning_effort=self.reasoning_effort,
        )
        forced = tool_guide(tools, use)
        if forced is None:
            return [request]
        chosen = "tool_choice" if isinstance(self.tool_choice, NamedChoice) else "tools"
        renamed = {**request.renamed, "response_format": chosen}
        return [replace(request, guide=forced, renamed=renamed)]

    def _generation(self, prompt: ChatPrompt) -> GenerationRequest:
        renamed = {"prompt": "messages"}
        limit = self.max_tokens
        if self.max_completion_tokens is not None:
            limit = self.max_completion_tokens
            renamed["max_tokens"] = "max_completion_tokens"
        return self.generation(prompt, limit, renamed)


def template_kwargs(effort: Effort | None, chosen: Mapping[str, object] | None) -> str:
    """Return the template's variables; effort goes by the names that templates look for."""
    kwargs: dict[str, object] = {}
    if effort is not None:
        kwargs["reasoning_effort"] = effort
        kwargs["enable_thinking"] = effort != "none"
    kwargs.update(chosen or {})
    return orjson.dumps(kwargs).decode() if kwargs else ""
