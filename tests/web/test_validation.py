"""Bad requests: each with OpenAI's status, sentence, param and code, and the model never asked."""

import pytest

from frontend_api.domain.model import ServedModel
from tests.web.fakes import FakeCatalogue, FakeGenerator
from tests.web.running import Json, ask, running_app

URL = "/v1/chat/completions"


def message(**fields: object) -> Json:
    return {"model": "demo", "messages": [{"role": "user", "content": "hi"}, fields]}


def without(*names: str) -> Json:
    return {name: value for name, value in ask().items() if name not in names}


CASES: list[tuple[object, str, str | None, str | None]] = [
    (without("model"), "you must provide a model parameter", None, None),
    (ask(model=5), "you must provide a model parameter", None, None),
    (
        without("messages"),
        "Missing required parameter: 'messages'.",
        "messages",
        "missing_required_parameter",
    ),
    (
        ask(messages=[]),
        "Invalid 'messages': empty array. Expected an array with minimum length 1, "
        "but got an empty array instead.",
        "messages",
        "empty_array",
    ),
    (
        ask(messages="hi"),
        "Invalid type for 'messages': expected an array of objects, but got a string instead.",
        "messages",
        "invalid_type",
    ),
    (
        ask(messages=["hi"]),
        "Invalid type for 'messages[0]': expected an object, but got a string instead.",
        "messages[0]",
        "invalid_type",
    ),
    (
        message(role="user", content=5),
        "Invalid type for 'messages[1].content': expected one of a string or array of objects, "
        "but got an integer instead.",
        "messages[1].content",
        "invalid_type",
    ),
    (
        message(role="user", content=None),
        "Invalid type for 'messages[1].content': expected one of a string or array of objects, "
        "but got null instead.",
        "messages[1].content",
        "invalid_type",
    ),
    (
        message(role="boss", content="hi"),
        "Invalid value: 'boss'. Supported values are: "
        "'system', 'assistant', 'user', 'developer', and 'tool'.",
        "messages[1].role",
        "invalid_value",
    ),
    (
        message(role="user", content=[{"type": "image_url", "image_url": {"url": "x"}}]),
        "Unsupported content: a part of type 'image_url' is not supported with this model.",
        "messages[1].content[0]",
        "unsupported_parameter",
    ),
    (
        message(role="user", content="hi", mood="good"),
        "Unknown parameter: 'messages[1].mood'.",
        "messages[1].mood",
        "unknown_parameter",
    ),
    (ask(foo=1), "Unknown parameter: 'foo'.", "foo", "unknown_parameter"),
    (
        ask(temperature=200),
        "Invalid 'temperature': decimal above maximum value. "
        "Expected a value <= 2, but got 200 instead.",
        "temperature",
        "decimal_above_max_value",
    ),
    (
        ask(temperature=-0.5),
        "Invalid 'temperature': decimal below minimum value. "
        "Expected a value >= 0, but got -0.5 instead.",
        "temperature",
        "decimal_below_min_value",
    ),
    (
        ask(temperature="hot"),
        "Invalid type for 'temperature': expected a decimal, but got a string instead.",
        "temperature",
        "invalid_type",
    ),
    (
        ask(max_tokens=0),
        "Invalid 'max_tokens': integer below minimum value. "
        "Expected a value >= 1, but got 0 instead.",
        "max_tokens",
        "integer_below_min_value",
    ),
    (
        ask(max_tokens=1.5),
        "Invalid type for 'max_tokens': expected an integer, but got a decimal instead.",
        "max_tokens",
        "invalid_type",
    ),
    (
        ask(n=129),
        "Invalid 'n': integer above maximum value. Expected a value <= 128, but got 129 instead.",
        "n",
        "integer_above_max_value",
    ),
    (
        ask(n=True),
        "Invalid type for 'n': expected an integer, but got a boolean instead.",
        "n",
        "invalid_type",
    ),
    (
        ask(stop=["a", "b", "c", "d", "e"]),
        "Invalid 'stop': array too long. Expected an array with maximum length 4, "
        "but got an array with length 5 instead.",
        "stop",
        "array_above_max_length",
    ),
    (
        ask(stop=7),
        "Invalid type for 'stop': expected one of a string or array of strings, "
        "but got an integer instead.",
        "stop",
        "invalid_type",
    ),
    (
        ask(stream_options={"include_usage": True}),
        "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        "stream_options",
        None,
    ),
    (
        ask(verbosity="low"),
        "Unsupported parameter: 'verbosity' is not supported with this model.",
        "verbosity",
        "unsupported_parameter",
    ),
    (
        [1],
        "Invalid type for the request body: expected an object, but got an array instead.",
        None,
        "invalid_type",
    ),
]


@pytest.mark.parametrize(("body", "sentence", "param", "code"), CASES)
async def test_a_bad_body_is_refused_in_openai_words(
    body: object, sentence: str, param: str | None, code: str | None
) -> None:
    generator = FakeGenerator()
    async with running_app(generator) as client:
        response = await client.post(URL, json=body)
        answer = await response.get_json()

    assert response.status_code == 400
    assert answer == {
        "error": {
            "message": sentence,
            "type": "invalid_request_error",
            "param": param,
            "code": code,
        }
    }
    assert generator.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"model": NaN}',
        b'{"model": "\xff"}',
        b'{"model": "\\ud800"}',
        b'{"messages":' + b"[" * 100_000,
        b'{"messages":' + b"[" * 2000 + b"]" * 2000 + b"}",
    ],
    ids=["cut", "nan", "bad utf-8", "lone surrogate", "deep and open", "deep"],
)
async def test_a_body_that_is_not_json_is_a_400(body: bytes) -> None:
    async with running_app() as client:
        response = await client.post(URL, data=body)
        error = (await response.get_json())["error"]

    assert response.status_code == 400
    assert error["message"].startswith("We could not parse the JSON body of your request.")
    assert set(error) == {"message", "type", "param", "code"}


async def test_no_body_has_no_model() -> None:
    async with running_app() as client:
        response = await client.post(URL, data=b"")
        error = (await response.get_json())["error"]

    assert (response.status_code, error["message"]) == (400, "you must provide a model parameter")


async def test_deep_json_that_parses_is_a_400_as_well() -> None:
    deep = b'{"model":"demo","messages":' + b"[" * 900 + b"]" * 900 + b"}"
    async with running_app() as client:
        response = await client.post(URL, data=deep)

    assert response.status_code == 400


async def test_null_means_absent_and_an_unserved_field_may_be_false() -> None:
    generator = FakeGenerator(["hang"])
    body = ask(temperature=None, stop=None, tools=None, logprobs=False, stream=None)
    generator.steps = []
    async with running_app(generator) as client:
        await client.post(URL, json=body)

    assert len(generator.requests) == 1


async def test_an_unknown_model_is_a_404() -> None:
    async with running_app() as client:
        response = await client.post(URL, json=ask(model="other"))
        error = (await response.get_json())["error"]

    assert response.status_code == 404
    assert (error["type"], error["code"]) == ("invalid_request_error", "model_not_found")


async def test_a_model_that_is_not_ready_is_a_503_with_retry_after() -> None:
    catalogue = FakeCatalogue(ServedModel("demo", state="failed", reason="it failed to load"))
    async with running_app(catalogue=catalogue) as client:
        response = await client.post(URL, json=ask())
        error = (await response.get_json())["error"]

    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert error["code"] == "model_not_ready"


async def test_what_the_engine_cannot_do_is_refused_before_it_is_asked() -> None:
    generator = FakeGenerator()
    catalogue = FakeCatalogue(ServedModel("demo", capabilities=frozenset()))
    async with running_app(generator, catalogue) as client:
        response = await client.post(URL, json=ask(seed=1))
        error = (await response.get_json())["error"]

    assert response.status_code == 400
    assert (error["param"], error["code"]) == ("seed", "unsupported_parameter")
    assert generator.requests == []
