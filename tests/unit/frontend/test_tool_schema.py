"""Schemas that hold a model to tool calls, checked with a JSON Schema validator."""

import json

import pytest
from jsonschema import Draft202012Validator

from frontend_api.domain.tool_schema import MAX_FORCED_CALLS, named_schema, required_schema

POINTED = {
    "type": "object",
    "properties": {"city": {"$ref": "#/$defs/City"}, "next": {"$ref": "#"}},
    "required": ["city"],
    "$defs": {"City": {"enum": ["Rome"]}},
}
TOOLS = {"weather": POINTED, "clock": None}


def is_valid(schema: str, value: object) -> bool:
    return bool(Draft202012Validator(json.loads(schema)).is_valid(value))


@pytest.mark.parametrize(
    ("call", "is_call"),
    [
        ({"name": "weather", "arguments": {"city": "Rome"}}, True),
        ({"name": "weather", "arguments": {"city": "Rome", "next": {"city": "Rome"}}}, True),
        ({"name": "weather", "arguments": {"city": "Oslo"}}, False),
        ({"name": "weather", "arguments": {"city": "Rome", "next": {}}}, False),
        ({"name": "clock", "arguments": {}}, True),
        ({"name": "clock", "arguments": {"city": 5}}, True),
        ({"name": "clock"}, False),
        ({"name": "other", "arguments": {}}, False),
    ],
)
def test_a_call_is_one_of_the_functions_with_its_own_arguments(call: object, is_call: bool) -> None:
    assert is_valid(required_schema(TOOLS, is_parallel=False), call) == is_call
    assert is_valid(required_schema(TOOLS, is_parallel=True), [call]) == is_call


def test_there_is_at_least_one_call_and_not_endlessly_many() -> None:
    schema = required_schema(TOOLS, is_parallel=True)
    call = {"name": "clock", "arguments": {}}

    assert not is_valid(schema, [])
    assert is_valid(schema, [call] * MAX_FORCED_CALLS)
    assert not is_valid(schema, [call] * (MAX_FORCED_CALLS + 1))


def test_a_named_function_gives_its_arguments_alone() -> None:
    assert is_valid(named_schema(POINTED), {"city": "Rome"})
    assert not is_valid(named_schema(POINTED), {"city": "Oslo"})
    assert is_valid(named_schema(None), {"anything": 1})
    assert not is_valid(named_schema({}), "text")
