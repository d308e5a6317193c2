"""The tools of a chat request, and the choice among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

import orjson
from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from frontend_api.domain.generation import Guide, ToolUse
from frontend_api.domain.tool_schema import named_schema, required_schema
from frontend_api.web.validation import refused, wrong_type
from frontend_api.web.wire_base import JsonObject, Wire

FunctionName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
Choice = Literal["none", "auto", "required"]


class OfferedFunction(Wire):
    """A function the model may call; `parameters` is a JSON schema of an object."""

    name: FunctionName
    description: str | None = None
    parameters: JsonObject | None = None
    strict: bool | None = None

    @model_validator(mode="after")
    def _takes_an_object(self) -> Self:
        kind = (self.parameters or {}).get("type", "object")
        if kind != "object":
            shown = f'"{kind}"' if isinstance(kind, str) else "another"
            raise refused(
                f"Invalid schema for function '{self.name}': schema must be a JSON Schema of "
                f"'type: \"object\"', got 'type: {shown}'.",
                "invalid_function_parameters",
                at="parameters",
            )
        return self


class ToolIn(Wire):
    """A tool the model may use."""

    type: Literal["function"]
    function: OfferedFunction


class FunctionChoice(Wire):
    """The name of a function."""

    name: FunctionName


class NamedChoice(Wire):
    """The one tool that must be called."""

    type: Literal["function"]
    function: FunctionChoice


def _check_choice(value: object) -> object:
    if not isinstance(value, str | dict):
        raise wrong_type("a string or object")
    return value


def _choice_form(value: object) -> str:
    return "<mode>" if isinstance(value, str) else "<named>"


ToolChoice = Annotated[
    Annotated[Choice, Tag("<mode>")] | Annotated[NamedChoice, Tag("<named>")],
    Discriminator(_choice_form),
    BeforeValidator(_check_choice),
]
Tools = Annotated[list[ToolIn], Field(min_length=1, max_length=128, fail_fast=True)]


def check_names_differ(tools: Sequence[ToolIn]) -> Sequence[ToolIn]:
    """Refuse two functions of one name: nobody could tell whose call it is."""
    seen: set[str] = set()
    for at, tool in enumerate(tools):
        if tool.function.name in seen:
            raise refused(
                f"Invalid value for '{{param}}': the name '{tool.function.name}' is already taken.",
                "invalid_value",
                at=f"[{at}].function.name",
            )
        seen.add(tool.function.name)
    return tools


def check_choice_exists(choice: Choice | NamedChoice, tools: Sequence[ToolIn]) -> None:
    """Refuse a choice without tools, or of a function that is not among them."""
    if not tools:
        raise refused(
            "Invalid value for '{param}': '{param}' is only allowed when 'tools' are specified.",
            None,
            at="tool_choice",
        )
    if isinstance(choice, NamedChoice) and choice.function.name not in _by_name(tools):
        raise refused(
            f"Tool choice '{choice.function.name}' not found in 'tools' parameter.",
            "invalid_value",
            at="tool_choice",
        )


def tool_use(
    tools: Sequence[ToolIn], choice: Choice | NamedChoice | None, *, is_parallel: bool
) -> ToolUse | None:
    """Return what the model may do with its tools; None when it must not call any."""
    if not tools or choice == "none":
        return None
    named = choice.function.name if isinstance(choice, NamedChoice) else None
    is_forced = named is not None or choice == "required"
    return ToolUse(frozenset(_by_name(tools)), is_forced, named, is_parallel)


def tool_guide(tools: Sequence[ToolIn], use: ToolUse | None) -> Guide | None:
    """Return what holds the model to a call; None when it is free."""
    if use is None or not use.is_forced:
        return None
    by_name = _by_name(tools)
    if use.named is not None:
        return Guide("json_schema", named_schema(by_name[use.named]))
    return Guide("json_schema", required_schema(by_name, is_parallel=use.is_parallel))


def tools_json(tools: Sequence[ToolIn]) -> str:
    """Return the tools as chat templates know them."""
    return orjson.dumps([tool.model_dump(exclude_none=True) for tool in tools]).decode()


def _by_name(tools: Sequence[ToolIn]) -> Mapping[str, Mapping[str, object] | None]:
    return {tool.function.name: tool.function.parameters for tool in tools}
