"""The objects inside a request for a response: its text's format, tools, reasoning, place.

OpenAI writes tools and formats here without the inner object that chat completions have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from frontend_api.domain.generation import Guide
from frontend_api.web.items_json import ItemId
from frontend_api.web.validation import MISSING, refused, wrong_type
from frontend_api.web.wire_base import JsonObject, Unsupported, Wire
from frontend_api.web.wire_chat import Effort
from frontend_api.web.wire_formats import json_guide
from frontend_api.web.wire_tools import (
    Choice,
    FunctionChoice,
    FunctionName,
    NamedChoice,
    OfferedFunction,
    ToolIn,
)

Value = TypeVar("Value")


class TextFormat(Wire):
    """Text, any JSON object, or what a JSON schema describes."""

    type: Literal["text", "json_object", "json_schema"]
    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")] | None = (
        None
    )
    schema_: Annotated[JsonObject | None, Field(alias="schema")] = None
    description: str | None = None
    strict: bool | None = None

    @model_validator(mode="after")
    def _has_its_schema(self) -> Self:
        is_schema = self.type == "json_schema"
        for field, value in (("name", self.name), ("schema", self.schema_)):
            if is_schema and value is None:
                raise refused(MISSING, "missing_required_parameter", at=field)
            if not is_schema and value is not None:
                raise refused(
                    "Invalid value for '{param}': it is only allowed with type 'json_schema'.",
                    "invalid_value",
                    at=field,
                )
        return self

    def guide(self) -> Guide | None:
        """Return what the model is held to; None for text."""
        if self.type == "text":
            return None
        return Guide("json") if self.schema_ is None else json_guide(self.schema_)

    def echoed(self) -> Mapping[str, object]:
        """Return it as the response repeats it."""
        if self.type != "json_schema":
            return {"type": self.type}
        return self.model_dump(by_alias=True)


class TextConfig(Wire):
    """What the text of the answer must be."""

    format: TextFormat | None = None
    verbosity: Unsupported = None


class ReasoningConfig(Wire):
    """How much to think; the thoughts themselves are told, so there is no summary to choose."""

    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Unsupported = None
    context: Unsupported = None
    mode: Unsupported = None


def _refuse_other_kinds(value: Value) -> Value:
    kind = value.get("type") if isinstance(value, Mapping) else None
    if isinstance(kind, str) and kind != "function":
        raise refused(
            f"Unsupported tool: '{kind[:64]}'. Only tools of type 'function' are supported here.",
            "unsupported_parameter",
            at="type",
        )
    return value


class FunctionToolIn(OfferedFunction):
    """A function the model may call."""

    type: Literal["function"]
    allowed_callers: Unsupported = None
    async_: Annotated[Unsupported, Field(alias="async")] = None
    defer_loading: Unsupported = None
    output_schema: Unsupported = None

    def as_offered(self) -> ToolIn:
        """Return it as chat completions know it."""
        function = OfferedFunction(
            name=self.name,
            description=self.description,
            parameters=self.parameters,
            strict=self.strict,
        )
        return ToolIn(type="function", function=function)

    def echoed(self) -> Mapping[str, object]:
        """Return it as the response repeats it."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
            "strict": bool(self.strict),
        }


class FunctionChoiceIn(Wire):
    """The one function that must be called."""

    type: Literal["function"]
    name: FunctionName

    def as_named(self) -> NamedChoice:
        """Return it as chat completions know it."""
        return NamedChoice(type="function", function=FunctionChoice(name=self.name))


class ConversationLinkIn(Wire):
    """A stored conversation."""

    id: ItemId


class StreamOptionsIn(Wire):
    """There is no padding of events against eavesdroppers: it can be declined only."""

    include_obfuscation: Unsupported = None


class PlaceIn(Wire):
    """Where in its conversation the turn goes: after this message; null: as another first one."""

    parent_id: ItemId | None = None


def check_tool_names_differ(tools: Sequence[FunctionToolIn]) -> Sequence[FunctionToolIn]:
    """Refuse two functions of one name: nobody could tell whose call it is."""
    seen: set[str] = set()
    for at, tool in enumerate(tools):
        if tool.name in seen:
            raise refused(
                f"Invalid value for '{{param}}': the name '{tool.name}' is already taken.",
                "invalid_value",
                at=f"[{at}].name",
            )
        seen.add(tool.name)
    return tools


def _check_form(value: object) -> object:
    if not isinstance(value, str | dict):
        raise wrong_type("a string or object")
    return value


def _form(value: object) -> str:
    return "<text>" if isinstance(value, str) else "<object>"


Tool = Annotated[FunctionToolIn, BeforeValidator(_refuse_other_kinds)]
ToolChoiceIn = Annotated[
    Annotated[Choice, Tag("<text>")] | Annotated[FunctionChoiceIn, Tag("<object>")],
    Discriminator(_form),
    BeforeValidator(_check_form),
    BeforeValidator(_refuse_other_kinds),
]
ConversationChoice = Annotated[
    Annotated[ItemId, Tag("<text>")] | Annotated[ConversationLinkIn, Tag("<object>")],
    Discriminator(_form),
    BeforeValidator(_check_form),
]
