"""Chat messages: OpenAI's shapes in, the template's shapes out."""

import json

import pytest

from triton_backend.llm.errors import InvalidRequest
from triton_backend.llm.json_values import JsonValue
from triton_backend.llm.messages import parse_messages


def test_text_parts_become_one_string() -> None:
    parts = [{"type": "text", "text": "Hello, "}, {"type": "text", "text": "world"}]

    messages = parse_messages(json.dumps([{"role": "user", "content": parts}]))

    assert messages == ({"role": "user", "content": "Hello, world"},)


def test_arguments_of_tool_calls_become_objects() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}

    (message,) = parse_messages(json.dumps([{"role": "assistant", "tool_calls": [call]}]))

    assert message["content"] is None
    assert message["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    ]


@pytest.mark.parametrize("arguments", ["", "not json", "[1]", "[" * 5000])
def test_arguments_that_are_no_object_stay_as_they_are(arguments: str) -> None:
    call = {"function": {"name": "f", "arguments": arguments}}

    (message,) = parse_messages(json.dumps([{"role": "assistant", "tool_calls": [call]}]))

    assert message["tool_calls"] == [call]


@pytest.mark.parametrize(
    ("messages", "fault"),
    [
        ("hello", "JSON array"),
        ({}, "JSON array"),
        ([], "at least one"),
        ([1], r"messages\[0\] must be an object"),
        ([{"content": "x"}], r"messages\[0\] must have a role"),
        ([{"role": "god", "content": "x"}], r"messages\[0\] must have a role"),
        ([{"role": ["user"], "content": "x"}], r"messages\[0\] must have a role"),
        ([{"role": "user", "content": 5}], r"messages\[0\] must have a string"),
        ([{"role": "user"}], r"messages\[0\] must have content"),
        ([{"role": "user", "content": "x"}, {"role": "user"}], r"messages\[1\]"),
        ([{"role": "user", "content": ["x"]}], "content part of type None"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "image_url"),
        ([{"role": "user", "content": [{"type": "text", "text": 1}]}], "without text"),
        ([{"role": "assistant", "tool_calls": "x"}], "array as tool_calls"),
        ([{"role": "assistant", "tool_calls": [{"function": "f"}]}], "without a function"),
    ],
)
def test_a_wrong_message_is_named(messages: JsonValue, fault: str) -> None:
    with pytest.raises(InvalidRequest, match=fault) as caught:
        parse_messages(json.dumps(messages))

    assert caught.value.param == "messages"


@pytest.mark.parametrize("text", ["", "[", "[NaN]", "[" * 100_000])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_messages(text)
