"""The body of POST /v1/responses.

What is accepted and changes nothing: `user`, `safety_identifier`, `prompt_cache_key`,
`service_tier` (there is one tier), `max_tool_calls` (it counts calls of OpenAI's own tools) and
`reasoning.summary`. All of them are kept with the response and told again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Final, Literal, Self

import orjson
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from frontend_api.domain.generation import ChatPrompt, GenerationRequest, Guide
from frontend_api.domain.messages import Item, Said
from frontend_api.service.orders import Order
from frontend_api.web.items_json import Find, ItemId, ItemIn, read_items
from frontend_api.web.validation import MISSING, refused, wrong_type
from frontend_api.web.wire import SamplerIn, TokenCount
from frontend_api.web.wire_base import JsonObject, Unsupported
from frontend_api.web.wire_chat import Metadata, template_kwargs
from frontend_api.web.wire_response_parts import (
    ConversationChoice,
    FunctionChoiceIn,
    PlaceIn,
    ReasoningConfig,
    StreamOptionsIn,
    TextConfig,
    Tool,
    ToolChoiceIn,
    check_tool_names_differ,
)
from frontend_api.web.wire_tools import (
    Choice,
    NamedChoice,
    ToolIn,
    check_choice_exists,
    tool_guide,
    tool_use,
    tools_json,
)

_MAX_ITEMS: Final = 2000
_MAX_TOOLS: Final = 128
# As they are; the defaults of the others are in `response_json`.
_REPEATED: Final = (
    "background",
    "frequency_penalty",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "presence_penalty",
    "previous_response_id",
    "prompt_cache_key",
    "safety_identifier",
    "store",
    "temperature",
    "top_p",
    "user",
)
# Kept with the others, but no field of OpenAI's response: the tree of a conversation tells them.
_KEPT: Final = ("top_k", "min_p", "repetition_penalty", "seed", "stop")
_NAMES: Final = {
    "prompt": "input",
    "max_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort",
}

# Chat completions' names, which a newcomer tries first.
_MOVED: Final = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
}


def _check_input(value: object) -> object:
    if not isinstance(value, str | list):
        raise wrong_type("a string or array of objects")
    return value


def _input_form(value: object) -> str:
    return "<text>" if isinstance(value, str) else "<items>"


Items = Annotated[list[ItemIn], Field(max_length=_MAX_ITEMS, fail_fast=True)]
Input = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[Items, Tag("<items>")],
    Discriminator(_input_form),
    BeforeValidator(_check_input),
]
Tools = Annotated[
    list[Tool],
    Field(max_length=_MAX_TOOLS, fail_fast=True),
    AfterValidator(check_tool_names_differ),
]


class ResponseIn(SamplerIn):
    """One turn of a conversation, of a stored or of a new one."""

    input: Input | None = None
    instructions: str | None = None
    previous_response_id: ItemId | None = None
    conversation: ConversationChoice | None = None
    store: bool | None = None
    background: bool | None = None
    stream_options: StreamOptionsIn | None = None
    metadata: Metadata | None = None
    tools: Tools | None = None
    tool_choice: ToolChoiceIn | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    max_output_tokens: TokenCount | None = None
    max_tool_calls: TokenCount | None = None
    truncation: Literal["auto", "disabled"] | None = None
    include: Annotated[list[Unsupported], Field(max_length=32)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=0)] | None = None
    service_tier: Literal["auto", "default"] | None = None
    prompt_cache_key: Annotated[str, Field(max_length=512)] | None = None
    safety_identifier: Annotated[str, Field(max_length=512)] | None = None
    access_programs: Unsupported = None
    background_options: Unsupported = None
    context_management: Unsupported = None
    image: Unsupported = None
    moderation: Unsupported = None
    prompt: Unsupported = None
    prompt_cache_options: Unsupported = None
    prompt_cache_retention: Unsupported = None

    chat_template_kwargs: JsonObject | None = None
    x_conch: PlaceIn | None = None

    @model_validator(mode="before")
    @classmethod
    def _uses_its_names(cls, value: object) -> object:
        given = value if isinstance(value, Mapping) else {}
        for name, new_name in _MOVED.items():
            if name in given:
                raise refused(
                    "Unsupported parameter: '{param}'. In the Responses API, this parameter has "
                    f"moved to '{new_name}'. Try again with the new parameter.",
                    "unsupported_parameter",
                    at=name,
                )
        return value

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if self.previous_response_id is not None and self.conversation is not None:
            raise refused(
                "Mutually exclusive parameters. Ensure you are only providing one of: "
                "'previous_response_id' or 'conversation'.",
                "mutually_exclusive_parameters",
            )
        if self.has_parent and self.conversation is None:
            raise refused(
                "'{param}' is only allowed together with 'conversation'.",
                "invalid_value",
                at="x_conch.parent_id",
            )
        return self

    @model_validator(mode="after")
    def _has_input(self) -> Self:
        if self.input is None and not self.has_parent:
            raise refused(MISSING, "missing_required_parameter", at="input")
        if self.input == [] and not self.has_parent:
            raise refused(
                "Invalid '{param}': empty array. Expected an array with minimum length 1, but got "
                "an empty array instead.",
                "empty_array",
                at="input",
            )
        return self

    @model_validator(mode="after")
    def _fits_how_it_is_told(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise refused(
                "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
                None,
                at="stream_options",
            )
        if self.background and not self.is_stored:
            raise refused(
                "Invalid value for '{param}': a response that is not stored cannot run in the "
                "background.",
                "invalid_value",
                at="background",
            )
        return self

    @model_validator(mode="after")
    def _chooses_among_its_tools(self) -> Self:
        if self.tool_choice not in (None, "auto", "none"):
            check_choice_exists(self._choice or "auto", self._offered)
        return self

    @property
    def is_stored(self) -> bool:
        """Whether it is kept, which is the default."""
        return self.store is not False

    @property
    def has_parent(self) -> bool:
        """Whether the client says where in its conversation the turn goes."""
        return self.x_conch is not None and "parent_id" in self.x_conch.model_fields_set

    def guides(self) -> Mapping[str, Guide]:
        """Return what the answer is held to; a forced call comes before any format."""
        asked = None if self.text is None else self.text.format
        guide = None if asked is None else asked.guide()
        found = super().guides()
        return found if guide is None else {"text.format": guide, **found}

    async def to_order(self, owner: str, request_id: str, find: Find) -> Order:
        """Return what is asked of the service; `find` gets stored items and raises NotFound."""
        return Order(
            owner=owner,
            request_id=request_id,
            request=self._generation(),
            items=await self._items(find),
            instructions=self.instructions,
            session_id=self._session_id,
            previous_id=self.previous_response_id,
            parent_id=None if self.x_conch is None else self.x_conch.parent_id,
            has_parent=self.has_parent,
            is_stored=self.is_stored,
            is_background=bool(self.background),
            may_drop=self._truncation == "auto",
            settings=orjson.dumps(self._echoed()).decode(),
        )

    @property
    def _session_id(self) -> str | None:
        chosen = self.conversation
        return chosen if chosen is None or isinstance(chosen, str) else chosen.id

    @property
    def _truncation(self) -> Literal["auto", "disabled"]:
        """A conversation that goes on is not to end when it is longer than the context."""
        is_continued = self.conversation is not None or self.previous_response_id is not None
        return self.truncation or ("auto" if is_continued else "disabled")

    async def _items(self, find: Find) -> tuple[Item, ...]:
        if isinstance(self.input, str):
            return (Said("user", self.input),)
        return await read_items(self.input or (), find)

    @property
    def _offered(self) -> Sequence[ToolIn]:
        return [tool.as_offered() for tool in self.tools or ()]

    @property
    def _choice(self) -> Choice | NamedChoice | None:
        chosen = self.tool_choice
        return chosen.as_named() if isinstance(chosen, FunctionChoiceIn) else chosen

    def _generation(self) -> GenerationRequest:
        tools, effort = self._offered, None if self.reasoning is None else self.reasoning.effort
        use = tool_use(tools, self._choice, is_parallel=self.parallel_tool_calls is not False)
        prompt = ChatPrompt(
            messages=(),
            # A model that must not call anything is shown nothing to call.
            tools=tools_json(tools) if use is not None else "",
            template_kwargs=template_kwargs(effort, self.chat_template_kwargs),
        )
        request = replace(
            self.generation(prompt, self.max_output_tokens, _NAMES),
            # However it is told, it is saved as it comes.
            stream=True,
            tool_use=use,
            reasoning_effort=effort,
        )
        forced = tool_guide(tools, use)
        if forced is None:
            return request
        chosen = "tool_choice" if isinstance(self.tool_choice, FunctionChoiceIn) else "tools"
        return replace(
            request, guide=forced, renamed={**request.renamed, "response_format": chosen}
        )

    def _echoed(self) -> Mapping[str, object]:
        """Return the fields that the response repeats, or the tree of its conversation tells."""
        asked = None if self.text is None else self.text.format
        choice = self.tool_choice or "auto"
        plain = {name: getattr(self, name) for name in (*_REPEATED, *_KEPT)}
        said = {name: value for name, value in plain.items() if value is not None}
        if self.reasoning is not None:
            said["reasoning"] = {"effort": self.reasoning.effort, "summary": self.reasoning.summary}
        if asked is not None:
            said["text"] = {"format": asked.echoed()}
        return {
            **said,
            "tool_choice": choice if isinstance(choice, str) else choice.model_dump(),
            "tools": [tool.echoed() for tool in self.tools or ()],
            "truncation": self._truncation,
        }
