"""Every other field: its bounds, what it needs beside it, and what is refused by name."""

from dataclasses import replace

import pytest

from frontend_api.domain.model import ServedModel
from tests.web.fakes import TALKER, FakeCatalogue, FakeGenerator, words
from tests.web.running import Json, ask, running_app

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
WEATHER: Json = {"type": "function", "function": {"name": "get_weather"}}
SCHEMA: Json = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}


def tool(**function: object) -> Json:
    return {"type": "function", "function": {"name": "f", **function}}


def complete(**fields: object) -> Json:
    return {"model": "demo", "prompt": "hi", **fields}


def deep(levels: int) -> Json:
    tree: Json = {}
    for _ in range(levels):
        tree = {"a": [tree]}
    return tree


REFUSED_CHAT: list[tuple[Json, str | None, str | None]] = [
    ({"top_logprobs": 1}, "top_logprobs", None),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "integer_above_max_value"),
    ({"logprobs": 3}, "logprobs", "invalid_type"),
    ({"logit_bias": {"a": 1}}, "logit_bias", "invalid_value"),
    ({"logit_bias": {"1": 101}}, "logit_bias.1", "decimal_above_max_value"),
    ({"logit_bias": []}, "logit_bias", "invalid_type"),
    ({"logit_bias": {"9" * 5000: 1}}, "logit_bias", "invalid_value"),
    ({"guided_json": deep(400)}, None, "json_too_deep"),
    ({"tools": [tool(parameters=deep(60))]}, None, "json_too_deep"),
    ({"presence_penalty": 2.5}, "presence_penalty", "decimal_above_max_value"),
    ({"seed": 2**63}, "seed", "integer_above_max_value"),
    ({"stop": ["", "a"]}, "stop[0]", "empty_string"),
    ({"stop_token_ids": [-1]}, "stop_token_ids[0]", "integer_below_min_value"),
    ({"metadata": {str(i): "x" for i in range(17)}}, "metadata", "object_above_max_properties"),
    ({"metadata": {"k" * 65: "x"}}, "metadata", "string_above_max_length"),
    ({"metadata": {"k": "x" * 513}}, "metadata.k", "string_above_max_length"),
    ({"metadata": {"k": 1}}, "metadata.k", "invalid_type"),
    ({"store": "yes"}, "store", "invalid_type"),
    ({"service_tier": "flex"}, "service_tier", "invalid_value"),
    ({"modalities": ["text", "audio"]}, "modalities[1]", "invalid_value"),
    ({"modalities": []}, "modalities", "empty_array"),
    ({"reasoning_effort": "huge"}, "reasoning_effort", "invalid_value"),
    ({"prediction": {}}, "prediction", "unsupported_parameter"),
    ({"audio": {}}, "audio", "unsupported_parameter"),
    ({"web_search_options": {}}, "web_search_options", "unsupported_parameter"),
    ({"functions": []}, "functions", "unsupported_parameter"),
    ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
    (
        {"response_format": {"type": "json_schema"}},
        "response_format.json_schema",
        "missing_required_parameter",
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a b"}}},
        "response_format.json_schema.name",
        "invalid_value",
    ),
    ({"response_format": SCHEMA, "guided_regex": "a"}, "guided_regex", "invalid_value"),
    ({"guided_json": "{}", "guided_grammar": "a"}, "guided_grammar", "invalid_value"),
    ({"guided_json": 5}, "guided_json", "invalid_type"),
    ({"stream_options": {"continuous_usage_stats": True}}, "stream_options", None),
    ({"tools": []}, "tools", "empty_array"),
    ({"tools": [WEATHER] * 129}, "tools", "array_above_max_length"),
    ({"tools": [WEATHER, WEATHER]}, "tools[1].function.name", "invalid_value"),
    ({"tools": [{"type": "custom"}]}, "tools[0].type", "invalid_value"),
    ({"tools": [tool(name="no spaces")]}, "tools[0].function.name", "invalid_value"),
    ({"tools": [tool(name="x" * 65)]}, "tools[0].function.name", "string_above_max_length"),
    (
        {"tools": [tool(parameters={"type": "string"})]},
        "tools[0].function.parameters",
        "invalid_function_parameters",
    ),
    ({"tool_choice": "auto"}, "tool_choice", None),
    ({"parallel_tool_calls": False}, "parallel_tool_calls", None),
    ({"tools": [WEATHER], "tool_choice": "any"}, "tool_choice", "invalid_value"),
    ({"tools": [WEATHER], "tool_choice": 5}, "tool_choice", "invalid_type"),
    ({"tools": [WEATHER], "tool_choice": tool()}, "tool_choice", "invalid_value"),
    ({"tools": [WEATHER], "response_format": SCHEMA}, "response_format", "unsupported_parameter"),
]

REFUSED_TEXT: list[tuple[Json, str, str | None]] = [
    ({"suffix": "x"}, "suffix", "unsupported_parameter"),
    ({"logprobs": 6}, "logprobs", "integer_above_max_value"),
    ({"logprobs": 2}, "logprobs", "unsupported_parameter"),
    ({"logprobs": True}, "logprobs", "invalid_type"),
    ({"echo": True, "logprobs": 0}, "echo", "unsupported_parameter"),
    ({"best_of": 1, "n": 2}, "best_of", "invalid_value"),
    ({"best_of": 2, "stream": True}, "best_of", "invalid_value"),
    ({"best_of": 21}, "best_of", "integer_above_max_value"),
    ({"prompt": ["a"] * 65, "n": 2}, "prompt", "array_above_max_length"),
    ({"messages": []}, "messages", "unknown_parameter"),
]


async def refusal(url: str, body: Json) -> Json:
    generator = FakeGenerator()
    async with running_app(generator, FakeCatalogue(TALKER)) as client:
        response = await client.post(url, json=body)
        answer: Json = await response.get_json()
    assert response.status_code == 400
    assert generator.requests == []
    error: Json = answer["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert "{" not in error["message"]
    return error


@pytest.mark.parametrize(("fields", "param", "code"), REFUSED_CHAT)
async def test_a_wrong_field_of_a_chat_is_refused(
    fields: Json, param: str | None, code: str | None
) -> None:
    error = await refusal(CHAT, ask(**fields))

    assert (error["param"], error["code"]) == (param, code)


@pytest.mark.parametrize(("fields", "param", "code"), REFUSED_TEXT)
async def test_a_wrong_field_of_a_completion_is_refused(
    fields: Json, param: str | None, code: str | None
) -> None:
    error = await refusal(TEXT, complete(**fields))

    assert (error["param"], error["code"]) == (param, code)


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"k": "v"}, "store": False, "user": "u"},
        {"service_tier": "auto", "modalities": ["text"]},
        {"reasoning_effort": "high"},
        {"response_format": {"type": "text"}},
        {"prompt_cache_key": "k", "safety_identifier": "s"},
        {"x_trace": {"anything": [1]}},
        {"chat_template_kwargs": deep(49), "guided_json": deep(49)},
        {"tools": [WEATHER], "tool_choice": "none", "parallel_tool_calls": True},
        {"verbosity": None, "audio": None, "functions": None},
    ],
)
async def test_what_changes_nothing_is_accepted(fields: Json) -> None:
    async with running_app(FakeGenerator(words("x")), FakeCatalogue(TALKER)) as client:
        response = await client.post(CHAT, json=ask(**fields))

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"tools": [WEATHER]}, "tools"),
        ({"tools": [WEATHER], "tool_choice": "auto"}, "tools"),
        ({"logprobs": True, "top_logprobs": 1}, "top_logprobs"),
    ],
)
async def test_what_this_model_was_not_made_for_is_refused_by_name(
    fields: Json, param: str
) -> None:
    async with running_app() as client:
        response = await client.post(CHAT, json=ask(**fields))
        error = (await response.get_json())["error"]

    assert response.status_code == 400
    assert (error["param"], error["code"]) == (param, "unsupported_parameter")


async def test_no_effort_is_what_a_model_that_does_not_reason_makes_anyway() -> None:
    async with running_app(FakeGenerator(words("x"))) as client:
        response = await client.post(CHAT, json=ask(reasoning_effort="none"))

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"guided_regex": "a"}, "guided_regex"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [WEATHER], "tool_choice": "required"}, "tools"),
        ({"tools": [WEATHER], "tool_choice": WEATHER}, "tool_choice"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"1": 1}}, "logit_bias"),
        ({"n": 2}, "n"),
    ],
)
async def test_what_the_engine_lacks_is_refused_by_the_name_the_client_gave(
    fields: Json, param: str
) -> None:
    catalogue = FakeCatalogue(_engine_without_features())
    async with running_app(FakeGenerator(), catalogue) as client:
        response = await client.post(CHAT, json=ask(**fields))
        error = (await response.get_json())["error"]

    assert response.status_code == 400
    assert (error["param"], error["code"]) == (param, "unsupported_parameter")


async def test_best_of_needs_an_engine_that_gives_log_probs() -> None:
    catalogue = FakeCatalogue(_engine_without_features("n"))
    async with running_app(FakeGenerator(), catalogue) as client:
        response = await client.post(TEXT, json=complete(best_of=2))
        error = (await response.get_json())["error"]

    assert (error["param"], error["code"]) == ("best_of", "unsupported_parameter")


def _engine_without_features(*capabilities: str) -> ServedModel:
    return replace(TALKER, capabilities=frozenset(capabilities))
