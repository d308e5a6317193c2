"""What POST /v1/responses refuses, and in which words."""

from typing import Any

import pytest

from tests.web.fakes import FakeGenerator, words
from tests.web.responses_asked import URL, asked
from tests.web.running import Json, running_app

TOOL: Json = {"type": "function", "name": "f", "parameters": {"type": "object"}}
SCHEMA: Json = {"type": "json_schema", "name": "s", "schema": {"type": "object"}}


async def answered(body: Json) -> tuple[int, Json]:
    async with running_app(FakeGenerator(words("x"))) as client:
        response = await client.post(URL, json=body)
        return response.status_code, await response.get_json()


REFUSED: list[tuple[Json, str | None, str | None]] = [
    ({"colour": "red"}, "colour", "unknown_parameter"),
    ({"n": 2}, "n", "unknown_parameter"),
    ({"max_tokens": 2}, "max_tokens", "unsupported_parameter"),
    ({"messages": []}, "messages", "unsupported_parameter"),
    ({"input": None}, "input", "missing_required_parameter"),
    ({"input": []}, "input", "empty_array"),
    ({"input": 3}, "input", "invalid_type"),
    ({"input": [{"type": "computer_call"}]}, "input[0].type", "unsupported_parameter"),
    ({"temperature": 3}, "temperature", "decimal_above_max_value"),
    ({"max_output_tokens": 0}, "max_output_tokens", "integer_below_min_value"),
    ({"top_logprobs": 2}, "top_logprobs", "integer_above_max_value"),
    ({"include": ["reasoning.encrypted_content"]}, "include[0]", "unsupported_parameter"),
    ({"prompt": {"id": "p"}}, "prompt", "unsupported_parameter"),
    ({"text": {"verbosity": "low"}}, "text.verbosity", "unsupported_parameter"),
    ({"text": {"format": {"type": "xml"}}}, "text.format.type", "invalid_value"),
    (
        {"text": {"format": {"type": "json_schema", "name": "s"}}},
        "text.format.schema",
        "missing_required_parameter",
    ),
    ({"text": {"format": SCHEMA}, "guided_regex": "a"}, "guided_regex", "invalid_value"),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type", "unsupported_parameter"),
    ({"tools": [TOOL, TOOL]}, "tools[1].name", "invalid_value"),
    ({"tool_choice": "required"}, "tool_choice", None),
    (
        {"tools": [TOOL], "tool_choice": {"type": "mcp"}},
        "tool_choice.type",
        "unsupported_parameter",
    ),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function", "name": "g"}},
        "tool_choice",
        "invalid_value",
    ),
    ({"reasoning": {"effort": "huge"}}, "reasoning.effort", "invalid_value"),
    ({"reasoning": {"effort": "high"}}, "reasoning.effort", "unsupported_parameter"),
    (
        {"reasoning": {"generate_summary": "auto"}},
        "reasoning.generate_summary",
        "unsupported_parameter",
    ),
    (
        {"input": [{"type": "function_call_output", "call_id": "c", "output": "7", "name": "f"}]},
        "input[0].name",
        "unsupported_parameter",
    ),
    ({"background": True, "store": False}, "background", "invalid_value"),
    ({"stream_options": {"include_obfuscation": False}}, "stream_options", None),
    (
        {"stream": True, "stream_options": {"include_obfuscation": True}},
        "stream_options.include_obfuscation",
        "unsupported_parameter",
    ),
    ({"metadata": {"a": 1}}, "metadata.a", "invalid_type"),
    ({"truncation": "middle"}, "truncation", "invalid_value"),
    ({"service_tier": "flex"}, "service_tier", "invalid_value"),
    (
        {"previous_response_id": "resp_1", "conversation": "conv_1"},
        None,
        "mutually_exclusive_parameters",
    ),
    ({"x_conch": {"parent_id": "msg_1"}}, "x_conch.parent_id", "invalid_value"),
    ({"x_conch": {"colour": "red"}}, "x_conch.colour", "unknown_parameter"),
]


@pytest.mark.parametrize(("fields", "param", "code"), REFUSED, ids=lambda each: str(each)[:60])
async def test_what_cannot_be_served_is_refused_by_name(
    fields: Json, param: str | None, code: str | None
) -> None:
    status, body = await answered({**asked(), **fields})

    assert status == 400
    assert (body["error"]["param"], body["error"]["code"]) == (param, code)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"model": "other"}, "model_not_found"),
        ({"previous_response_id": "resp_1"}, "previous_response_not_found"),
        ({"conversation": "conv_1"}, None),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, None),
    ],
)
async def test_what_does_not_exist_is_not_found(fields: Json, code: str | None) -> None:
    status, body = await answered({**asked(), **fields})

    assert (status, body["error"]["code"]) == (404, code)


async def test_result_of_a_call_that_nobody_made_is_refused() -> None:
    result = {"type": "function_call_output", "call_id": "call_9", "output": "7"}

    status, body = await answered({**asked(), "input": [result]})

    assert status == 400
    assert body["error"]["message"] == (
        "No tool call found for function call output with call_id call_9."
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": []},
        {"tool_choice": "auto", "parallel_tool_calls": False},
        {"include": []},
        {"top_logprobs": 0},
        {"stream_options": None, "text": None, "reasoning": None, "tools": None},
        {"text": {"format": {"type": "text"}}},
        {"stream": True, "stream_options": {"include_obfuscation": False}},
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]},
        {"x_mine": 1},
    ],
    ids=str,
)
async def test_what_means_nothing_here_is_taken(fields: dict[str, Any]) -> None:
    async with running_app(FakeGenerator(words("x"))) as client:
        response = await client.post(URL, json={**asked(), **fields})

    assert response.status_code == 200, await response.get_data()


async def test_the_names_of_chat_completions_are_told_their_new_ones() -> None:
    _, body = await answered({"model": "demo", "messages": []})

    assert body["error"]["message"] == (
        "Unsupported parameter: 'messages'. In the Responses API, this parameter has moved to "
        "'input'. Try again with the new parameter."
    )


async def test_what_cannot_be_included_is_named() -> None:
    _, body = await answered({**asked(), "include": ["reasoning.encrypted_content"]})

    assert body["error"]["message"] == (
        "Unsupported value: 'include[0]' does not support 'reasoning.encrypted_content' with this "
        "model."
    )


async def test_two_supported_values_are_listed_without_a_comma() -> None:
    _, body = await answered({**asked(), "truncation": "middle"})

    assert body["error"]["message"] == (
        "Invalid value: 'middle'. Supported values are: 'auto' and 'disabled'."
    )
