"""Bad requests over the wire: the right status and code, and nobody else is affected."""

import json

import httpx
import pytest

CHAT = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "Hello"}]


def chat(**changes: object) -> dict[str, object]:
    return {"model": "demo", "messages": MESSAGES, "max_tokens": 4} | changes


async def refusal(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    """Return status, code and param, having checked that it is OpenAI's error object."""
    error = answer.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    assert error["message"]
    return answer.status_code, error["code"], error["param"]


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages"),
        ({"messages": [{"role": "nobody", "content": "x"}]}, "messages"),
        ({"messages": None}, "messages"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 2}, "top_p"),
        ({"n": 0}, "n"),
        ({"stop": [1]}, "stop"),
        ({"seed": "x"}, "seed"),
        ({"stream": "yes"}, "stream"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_wrong_field_is_a_400_that_names_it(
    http: httpx.AsyncClient, changes: dict[str, object], param: str, stream: bool
) -> None:
    answer = await http.post(CHAT, json=chat(stream=stream) | changes)

    status, _, named = await refusal(answer)
    assert status == 400
    assert (named or "").startswith(param)


async def test_an_unknown_model_is_a_404(http: httpx.AsyncClient) -> None:
    answer = await http.post(CHAT, json=chat(model="nobody"))

    assert (await refusal(answer))[:2] == (404, "model_not_found")


async def test_an_unknown_address_is_a_404_in_the_same_form(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/nothing")

    assert (await refusal(answer))[0] == 404


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"model": "\xff"}', b"[" * 100_000, b'{"a":' * 2000],
    ids=["empty", "cut", "list", "null", "not UTF-8", "deep list", "deep object"],
)
async def test_a_body_that_is_no_request_is_a_400(http: httpx.AsyncClient, body: bytes) -> None:
    answer = await http.post(CHAT, content=body, headers={"content-type": "application/json"})

    assert (await refusal(answer))[0] == 400


async def test_a_body_of_5_mb_is_a_413(http: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "x" * 5_000_000}]

    answer = await http.post(CHAT, json=chat(messages=messages))

    assert (await refusal(answer))[0] == 413


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_prompt_beyond_the_context_is_told_with_its_counts(
    http: httpx.AsyncClient, stream: bool
) -> None:
    messages = [{"role": "user", "content": "shell " * 5000}]

    answer = await http.post(CHAT, json=chat(messages=messages, stream=stream))

    assert (await refusal(answer))[:2] == (400, "context_length_exceeded")
    assert "maximum context length is 2048 tokens" in answer.json()["error"]["message"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_max_tokens_beyond_the_context_is_a_400(
    http: httpx.AsyncClient, stream: bool
) -> None:
    answer = await http.post(CHAT, json=chat(max_tokens=100_000, stream=stream))

    assert (await refusal(answer))[:2] == (400, "context_length_exceeded")


async def test_what_the_engine_cannot_do_is_refused_by_name(http: httpx.AsyncClient) -> None:
    answer = await http.post(CHAT, json=chat(model="steady", presence_penalty=1.0))

    assert await refusal(answer) == (400, "unsupported_parameter", "presence_penalty")


async def test_bad_requests_do_not_disturb_a_running_stream(http: httpx.AsyncClient) -> None:
    asked = chat(model="slow", max_tokens=8, stream=True)
    async with http.stream("POST", CHAT, json=asked) as stream:
        lines = stream.aiter_lines()
        await anext(lines)

        for bad in (chat(max_tokens=0), chat(messages=[{"role": "user", "content": "a " * 9000}])):
            assert (await http.post(CHAT, json=bad)).status_code == 400

        rest = [line async for line in lines if line]
    assert rest[-1] == "data: [DONE]"
    assert '"finish_reason":"length"' in rest[-2]
