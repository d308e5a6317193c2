"""POST /v1/completions, whole and streamed."""

import pytest

from frontend_api.domain.generation import Accepted, TextPrompt, TokenPrompt
from tests.web.fakes import FakeGenerator, words
from tests.web.running import Json, counts, events, running_app

URL = "/v1/completions"


def complete(prompt: object, **fields: object) -> Json:
    return {"model": "demo", "prompt": prompt, **fields}


async def test_answer_has_text_choices_and_usage() -> None:
    async with running_app(FakeGenerator([Accepted(4), *words("a", "b")])) as client:
        answer = await (await client.post(URL, json=complete("hi"))).get_json()

    assert answer["object"] == "text_completion"
    assert answer["id"].startswith("cmpl-")
    assert answer["choices"] == [
        {"index": 0, "text": "ab", "logprobs": None, "finish_reason": "stop"}
    ]
    assert counts(answer["usage"]) == (4, 2, 6)


async def test_sixteen_tokens_are_the_default() -> None:
    generator = FakeGenerator(words("x"))
    async with running_app(generator) as client:
        await client.post(URL, json=complete("hi"))

    assert generator.requests[0].max_tokens == 16


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("a", [TextPrompt("a")]),
        (["a", "b"], [TextPrompt("a"), TextPrompt("b")]),
        ([1, 2], [TokenPrompt((1, 2))]),
        ([[1, 2], [3]], [TokenPrompt((1, 2)), TokenPrompt((3,))]),
    ],
)
async def test_every_form_of_prompt_reaches_the_model(prompt: object, prompts: object) -> None:
    generator = FakeGenerator(words("x"))
    async with running_app(generator) as client:
        response = await client.post(URL, json=complete(prompt))

    assert response.status_code == 200
    assert [request.prompt for request in generator.requests] == prompts


async def test_choices_of_several_prompts_are_prompt_major() -> None:
    generator = FakeGenerator([Accepted(1), *words("x", index=0), *words("y", index=1)])
    async with running_app(generator) as client:
        answer = await (await client.post(URL, json=complete(["a", "b"], n=2))).get_json()

    assert [choice["text"] for choice in answer["choices"]] == ["x", "y", "x", "y"]
    assert answer["usage"]["prompt_tokens"] == 2


async def test_stream_has_text_chunks_without_a_role() -> None:
    async with running_app(FakeGenerator([Accepted(1), *words("a", "b")])) as client:
        response = await client.post(URL, json=complete("hi", stream=True))
        *chunks, done = events(await response.get_data(as_text=False))

    assert done == "[DONE]"
    choices = [c["choices"][0] for c in chunks if isinstance(c, dict)]
    assert "".join(choice["text"] for choice in choices) == "ab"
    assert [choice["finish_reason"] for choice in choices[:-1]] == [None] * (len(choices) - 1)
    assert choices[-1] == {"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("", "empty_string"),
        ([], "empty_array"),
        ([""], "empty_string"),
        ([[]], "invalid_type"),
        (5, "invalid_type"),
        (None, "invalid_type"),
        ([1, "a"], "invalid_type"),
        ([True], "invalid_type"),
        ([-1], "invalid_type"),
        (["a"] * 129, "array_above_max_length"),
    ],
)
async def test_a_bad_prompt_is_refused(prompt: object, code: str) -> None:
    async with running_app() as client:
        response = await client.post(URL, json=complete(prompt))
        error = (await response.get_json())["error"]

    assert response.status_code == 400
    assert (error["param"], error["code"]) == ("prompt", code)
