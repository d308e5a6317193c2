"""POST /v1/chat/completions, whole and streamed."""

from frontend_api.domain.errors import BackendLost, ContextTooLong
from frontend_api.domain.generation import Accepted, ChatMessage, ChatPrompt, Delta
from tests.web.fakes import FakeGenerator, words
from tests.web.running import ask, counts, events, running_app, settings

URL = "/v1/chat/completions"


async def test_answer_has_the_text_the_true_reason_and_the_true_usage() -> None:
    generator = FakeGenerator([Accepted(5), *words("Tri", "ton", reason="length")])
    async with running_app(generator) as client:
        response = await client.post(URL, json=ask())
        answer = await response.get_json()

    assert response.status_code == 200
    assert answer["object"] == "chat.completion"
    assert answer["id"].startswith("chatcmpl-")
    assert answer["created"] == 1_700_000_000
    assert answer["model"] == "demo"
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Triton", "refusal": None},
            "logprobs": None,
            "finish_reason": "length",
        }
    ]
    assert counts(answer["usage"]) == (5, 2, 7)


async def test_choices_are_sorted_by_index() -> None:
    generator = FakeGenerator([Accepted(1), *words("b", index=1), *words("a", index=0)])
    async with running_app(generator) as client:
        answer = await (await client.post(URL, json=ask(n=2))).get_json()

    assert [c["message"]["content"] for c in answer["choices"]] == ["a", "b"]
    assert [c["index"] for c in answer["choices"]] == [0, 1]


async def test_request_reaches_the_model_with_openai_defaults() -> None:
    generator = FakeGenerator(words("x"))
    async with running_app(generator) as client:
        await client.post(URL, json=ask("hi"))

    (request,) = generator.requests
    assert request.prompt == ChatPrompt((ChatMessage("user", "hi"),))
    assert (request.temperature, request.top_p, request.n) == (1.0, 1.0, 1)
    assert request.max_tokens is None
    assert request.seed is None


async def test_every_sampling_field_reaches_the_model() -> None:
    generator = FakeGenerator(words("x"))
    body = ask(
        max_completion_tokens=9,
        max_tokens=5,
        temperature=0,
        top_p=0.5,
        seed=-1,
        stop="END",
        presence_penalty=1,
        frequency_penalty=-1,
        top_k=7,
        min_p=0.1,
        repetition_penalty=1.1,
        min_tokens=2,
        ignore_eos=True,
        user="u",
    )
    async with running_app(generator) as client:
        response = await client.post(URL, json=body)

    assert response.status_code == 200
    (request,) = generator.requests
    assert request.max_tokens == 9
    assert (request.temperature, request.top_p, request.seed) == (0, 0.5, -1)
    assert request.stop == ("END",)
    assert (request.presence_penalty, request.frequency_penalty) == (1, -1)
    assert (request.top_k, request.min_p, request.repetition_penalty) == (7, 0.1, 1.1)
    assert (request.min_tokens, request.ignore_eos) == (2, True)


async def test_text_parts_are_joined_and_developer_becomes_system() -> None:
    generator = FakeGenerator(words("x"))
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    messages = [{"role": "developer", "content": parts}, {"role": "user", "content": "c"}]
    async with running_app(generator) as client:
        await client.post(URL, json={"model": "demo", "messages": messages})

    (request,) = generator.requests
    assert request.prompt == ChatPrompt((ChatMessage("system", "ab"), ChatMessage("user", "c")))


async def test_stream_is_role_then_text_then_reason_then_done() -> None:
    generator = FakeGenerator([Accepted(5), *words("Tri", "ton")])
    async with running_app(generator) as client:
        response = await client.post(URL, json=ask(stream=True))
        stream = events(await response.get_data(as_text=False))

    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"
    *chunks, done = stream
    assert done == "[DONE]"
    choices = [chunk["choices"][0] for chunk in chunks if isinstance(chunk, dict)]
    assert choices[0] == {
        "index": 0,
        "delta": {"role": "assistant", "content": ""},
        "logprobs": None,
        "finish_reason": None,
    }
    assert "".join(c["delta"]["content"] for c in choices[1:-1]) == "Triton"
    assert all("role" not in c["delta"] for c in choices[1:])
    assert choices[-1]["delta"] == {}
    assert [c["finish_reason"] for c in choices[:-1]] == [None] * (len(choices) - 1)
    assert choices[-1]["finish_reason"] == "stop"
    assert len({(c["id"], c["created"], c["model"]) for c in chunks if isinstance(c, dict)}) == 1
    assert all("usage" not in c for c in chunks)


async def test_usage_comes_last_with_no_choices_and_is_null_before() -> None:
    generator = FakeGenerator([Accepted(5), *words("a", "b")])
    body = ask(stream=True, stream_options={"include_usage": True})
    async with running_app(generator) as client:
        response = await client.post(URL, json=body)
        *chunks, usage, done = events(await response.get_data(as_text=False))

    assert done == "[DONE]"
    assert isinstance(usage, dict)
    assert usage["choices"] == []
    assert counts(usage["usage"]) == (5, 2, 7)
    assert all(c["usage"] is None for c in chunks if isinstance(c, dict))


async def test_each_choice_of_a_stream_has_its_role_and_its_reason() -> None:
    generator = FakeGenerator([*words("a", index=1), *words("b", index=0, reason="length")])
    async with running_app(generator) as client:
        response = await client.post(URL, json=ask(stream=True, n=2))
        chunks = [e for e in events(await response.get_data(as_text=False)) if isinstance(e, dict)]

    choices = [chunk["choices"][0] for chunk in chunks]
    assert [c["index"] for c in choices if "role" in c["delta"]] == [0, 1]
    assert {c["index"]: c["finish_reason"] for c in choices if c["finish_reason"]} == {
        0: "length",
        1: "stop",
    }


async def test_text_that_needs_escaping_survives_the_framing() -> None:
    text = 'line\nbreak "quoted" \u2028 \\ 🐚 data: [DONE]\n\n'
    async with running_app(FakeGenerator(words(text))) as client:
        response = await client.post(URL, json=ask(stream=True))
        body = await response.get_data(as_text=False)

    contents = [
        e["choices"][0]["delta"].get("content", "") for e in events(body) if isinstance(e, dict)
    ]
    assert "".join(contents) == text


async def test_what_the_model_refuses_is_a_real_400_even_when_streaming() -> None:
    refusal = ContextTooLong("This model's maximum context length is 8 tokens.", param="messages")
    async with running_app(FakeGenerator([refusal])) as client:
        response = await client.post(URL, json=ask(stream=True))
        error = (await response.get_json())["error"]

    assert response.status_code == 400
    assert error["code"] == "context_length_exceeded"


async def test_engine_failure_mid_stream_is_an_error_event_and_the_end() -> None:
    generator = FakeGenerator([Accepted(1), Delta(0, "Tri", 1), BackendLost("gone")])
    async with running_app(generator) as client:
        response = await client.post(URL, json=ask(stream=True))
        *_, error, done = events(await response.get_data(as_text=False))

    assert response.status_code == 200
    assert error == {
        "error": {
            "message": "gone",
            "type": "server_error",
            "param": None,
            "code": "backend_unavailable",
        }
    }
    assert done == "[DONE]"


async def test_a_fault_of_ours_mid_stream_is_an_error_event_without_its_text() -> None:
    beyond_the_choices = Delta(7, "x", 1)
    async with running_app(FakeGenerator([Accepted(1), beyond_the_choices])) as client:
        response = await client.post(URL, json=ask(stream=True))
        *_, error, done = events(await response.get_data(as_text=False))

    assert isinstance(error, dict)
    assert error["error"]["code"] == "internal_error"
    assert done == "[DONE]"


async def test_a_queued_stream_gets_its_200_and_keepalives() -> None:
    impatient = settings(
        triton={"queue_timeout_s": 0.01},
        server={"keepalive_interval_s": 0.01},
    )
    waiting = FakeGenerator(["hang"])
    async with (
        running_app(waiting, chosen=impatient) as client,
        client.request(URL, method="POST") as connection,
    ):
        await connection.send(b'{"model":"demo","stream":true,"messages":[')
        await connection.send(b'{"role":"user","content":"hi"}]}')
        await connection.send_complete()
        received = b""
        while b": keepalive\n\n" not in received:
            received += await connection.receive()
        await connection.disconnect()

    assert waiting.num_open == 0
