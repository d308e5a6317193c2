"""Generations through the Triton adapter: requests, answers, refusals, cancellation."""

import asyncio
import json
from contextlib import aclosing

import orjson
import pytest

from frontend_api.domain.errors import (
    BackendLost,
    BadRequest,
    ContextTooLong,
    EngineFailed,
    ModelNotReady,
    Overloaded,
    ServiceError,
    UnsupportedParameter,
)
from frontend_api.domain.generation import (
    Accepted,
    ChatMessage,
    ChatPrompt,
    Delta,
    GenerationRequest,
    TextPrompt,
    TokenPrompt,
)
from frontend_api.domain.session_key import session_key
from tests.web.fake_triton import FakeTriton, accepted, delta, integer, text
from tests.web.triton_running import PATIENCE_S, REQUEST, failed, ready, run


async def test_a_generation_is_acknowledged_then_streamed() -> None:
    fake = FakeTriton([accepted(3), delta("Tri"), delta("ton", reason="stop")])
    async with ready(fake) as triton:
        events = await run(triton)

    assert events == [Accepted(3), Delta(0, "Tri", 1), Delta(0, "ton", 1, "stop")]


async def test_a_generation_carries_its_session_key_for_those_who_route_it() -> None:
    fake = FakeTriton([delta("Triton", reason="stop")])
    async with ready(fake) as triton:
        await run(triton)

    assert fake.metadata[-1]["x-conch-session"] == session_key(REQUEST)


async def test_the_request_carries_the_contract_tensors() -> None:
    fake = FakeTriton([delta("x", index=1, reason="stop"), delta("y", reason="stop")])
    request = GenerationRequest(
        model="demo",
        prompt=ChatPrompt((ChatMessage("user", "hé", name="Ann"),)),
        stream=True,
        n=2,
        max_tokens=9,
        seed=-1,
        stop=("a", "bc"),
        temperature=0.5,
    )
    async with ready(fake) as triton:
        await run(triton, request)

    messages = fake.tensor("messages")
    assert messages is not None
    assert json.loads(messages[4:]) == [{"role": "user", "content": "hé", "name": "Ann"}]
    assert fake.tensor("max_tokens") == integer(9)
    assert fake.tensor("num_return_sequences") == integer(2)
    assert fake.tensor("seed") == b"\xff" * 8
    assert fake.tensor("stop_words") == text("a") + text("bc")
    assert fake.tensor("stream") == b"\x01"
    assert fake.tensor("acknowledge") == b"\x01"
    assert fake.tensor("text_input") is None
    assert fake.tensor("top_k") is None
    shapes = {t.name: (t.datatype, tuple(t.shape)) for t in fake.requests[-1].inputs}
    assert shapes["stop_words"] == ("BYTES", (1, 2))
    assert shapes["temperature"] == ("FP32", (1, 1))


async def test_token_ids_travel_as_they_are() -> None:
    fake = FakeTriton([delta("x", reason="stop")])
    request = GenerationRequest(model="demo", prompt=TokenPrompt((1, 2, 3)))
    async with ready(fake) as triton:
        await run(triton, request)

    assert fake.tensor("input_ids") == integer(1) + integer(2) + integer(3)


def refusal(code: str, **fields: object) -> str:
    return orjson.dumps({"code": code, "param": None, "message": "no", **fields}).decode()


@pytest.mark.parametrize(
    ("message", "kind", "code", "param"),
    [
        (refusal("invalid_value", param="stop_words"), BadRequest, "invalid_value", "stop"),
        (refusal("invalid_value", param="text_input"), BadRequest, "invalid_value", "prompt"),
        (
            refusal("unsupported_parameter", param="logit_bias_ids"),
            UnsupportedParameter,
            "unsupported_parameter",
            "logit_bias",
        ),
        (refusal("engine_failure"), EngineFailed, "engine_failure", None),
        (refusal("overloaded"), Overloaded, "overloaded", None),
        ("Stub process 'demo_0_0' is not healthy.", BackendLost, "backend_unavailable", None),
        (
            "Request for unknown model: 'demo' has no available versions",
            ModelNotReady,
            "model_not_ready",
            None,
        ),
        ("Exceeds maximum queue size", Overloaded, "overloaded", None),
        ("something else with /a/path", EngineFailed, "engine_failure", None),
    ],
)
async def test_a_failure_of_triton_becomes_one_of_ours(
    message: str, kind: type[ServiceError], code: str, param: str | None
) -> None:
    async with ready(FakeTriton([message])) as triton:
        error = await failed(triton)

    assert type(error) is kind
    assert (error.code, error.param) == (code, param)
    assert "/a/path" not in error.message


async def test_a_refused_limit_is_named_as_the_client_named_it() -> None:
    request = GenerationRequest(
        model="demo", prompt=TextPrompt("hi"), renamed={"max_tokens": "max_completion_tokens"}
    )
    async with ready(FakeTriton([refusal("invalid_value", param="max_tokens")])) as triton:
        error = await failed(triton, request)

    assert error.param == "max_completion_tokens"


@pytest.mark.parametrize(
    ("prompt_tokens", "max_tokens", "sentence"),
    [
        (
            200,
            16,
            "This model's maximum context length is 128 tokens. However, your prompt resulted in "
            "200 tokens. Please reduce the length of the prompt.",
        ),
        (
            100,
            50,
            "This model's maximum context length is 128 tokens. However, you requested 150 tokens "
            "(100 in the prompt, 50 in the completion). "
            "Please reduce the length of the prompt or completion.",
        ),
    ],
)
async def test_a_context_overflow_keeps_openai_sentence(
    prompt_tokens: int, max_tokens: int, sentence: str
) -> None:
    message = refusal(
        "context_length_exceeded",
        prompt_tokens=prompt_tokens,
        max_tokens=max_tokens,
        context_length=128,
    )
    async with ready(FakeTriton([message])) as triton:
        error = await failed(triton)

    assert isinstance(error, ContextTooLong)
    assert error.message == sentence
    assert error.extra == {"n_prompt_tokens": prompt_tokens, "n_ctx": 128}


async def test_closing_the_generation_cancels_the_stream_at_the_server() -> None:
    fake = FakeTriton([accepted(1), delta("a"), asyncio.Event()])
    async with ready(fake) as triton:
        async with aclosing(triton.generator.generate(REQUEST)) as events:
            await anext(events)
            await anext(events)

        await asyncio.wait_for(fake.cancelled.wait(), PATIENCE_S)


async def test_an_answer_that_ends_unfinished_is_a_failure() -> None:
    async with ready(FakeTriton([delta("a")])) as triton:
        assert isinstance(await failed(triton), EngineFailed)


async def test_an_answer_cut_by_unloading_the_model_is_an_error() -> None:
    async with ready(FakeTriton([delta("a"), delta("", reason="cancelled")])) as triton:
        assert isinstance(await failed(triton), ModelNotReady)


async def test_an_error_is_read_to_the_end_of_its_stream() -> None:
    end = asyncio.Event()
    fake = FakeTriton([refusal("invalid_value"), end])
    async with ready(fake) as triton:
        # Long enough for a cancelled call to reach the server before.
        asyncio.get_running_loop().call_later(0.1, end.set)

        assert isinstance(await failed(triton), BadRequest)

        await end.wait()
        assert not fake.cancelled.is_set()


async def test_a_model_without_finish_reason_ends_with_its_stream() -> None:
    fake = FakeTriton([{"text_output": text("a")}])
    fake.inputs = frozenset({"text_input", "max_tokens", "temperature"})
    fake.outputs = frozenset({"text_output"})
    async with ready(fake) as triton:
        events = await run(triton)

    assert events == [Delta(0, "a", 1), Delta(0, "", 0, "stop")]
    assert [output.name for output in fake.requests[-1].outputs] == ["text_output"]


async def test_a_field_without_its_tensor_is_refused_by_name() -> None:
    fake = FakeTriton()
    fake.inputs = frozenset({"text_input", "max_tokens", "task"})
    async with ready(fake) as triton:
        request = GenerationRequest(model="demo", prompt=TextPrompt("hi"), stop=("x",))
        error = await failed(triton, request)

    assert isinstance(error, UnsupportedParameter)
    assert error.param == "stop"
    assert fake.requests == []
