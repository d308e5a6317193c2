"""Tokenizing over Triton's protocol: requests, answers, refusals, time-outs."""

import asyncio
import struct

import pytest

from frontend_api.domain.errors import (
    BackendLost,
    BadRequest,
    EngineFailed,
    ServiceError,
    TimedOut,
    UnsupportedParameter,
)
from frontend_api.domain.generation import ChatMessage, ChatPrompt, TextPrompt
from tests.web.fake_triton import FakeTriton, text
from tests.web.triton_running import PATIENCE_S, ready

HELLO = TextPrompt("hello")
REFUSED = '{"code": "invalid_value", "message": "no", "param": "%s"}'


def ids(*values: int) -> dict[str, bytes]:
    return {"output_ids": struct.pack(f"<{len(values)}i", *values)}


async def failed(fake: FakeTriton, timeout_s: float = PATIENCE_S) -> ServiceError:
    async with ready(fake, queue_timeout_s=timeout_s) as triton:
        with pytest.raises(ServiceError) as failure:
            await triton.tokenizing.tokenize("demo", HELLO)
    return failure.value


async def test_a_text_goes_out_and_its_ids_come_back() -> None:
    fake = FakeTriton([ids(5, 6, 7)])
    async with ready(fake) as triton:
        assert list(await triton.tokenizing.tokenize("demo", HELLO)) == [5, 6, 7]

    assert fake.tensor("task") == text("tokenize")
    assert fake.tensor("text_input") == text("hello")


async def test_a_conversation_goes_out_with_tools_and_template_variables() -> None:
    fake = FakeTriton([ids(5)])
    prompt = ChatPrompt((ChatMessage("user", "hi"),), tools="[]", template_kwargs='{"a":1}')
    async with ready(fake) as triton:
        await triton.tokenizing.tokenize("demo", prompt)

    assert fake.tensor("messages") == text('[{"role":"user","content":"hi"}]')
    assert fake.tensor("tools") == text("[]")
    assert fake.tensor("chat_template_kwargs") == text('{"a":1}')


async def test_ids_go_out_and_their_text_comes_back() -> None:
    fake = FakeTriton([{"text_output": text("hi")}])
    async with ready(fake) as triton:
        assert await triton.tokenizing.detokenize("demo", [1, 2]) == "hi"

    assert fake.tensor("input_ids") == struct.pack("<2i", 1, 2)


async def test_a_refusal_names_the_clients_field() -> None:
    async with ready(FakeTriton([REFUSED % "input_ids"])) as triton:
        with pytest.raises(BadRequest) as of_ids:
            await triton.tokenizing.detokenize("demo", [1])
        with pytest.raises(BadRequest) as of_text:
            await triton.tokenizing.tokenize("demo", HELLO)

    assert (of_ids.value.param, of_text.value.param) == ("tokens", "prompt")


async def test_a_model_that_says_nothing_is_a_timeout() -> None:
    assert isinstance(await failed(FakeTriton([asyncio.Event()]), timeout_s=0.1), TimedOut)


async def test_a_stream_that_ends_without_an_answer_is_the_engines_fault() -> None:
    assert isinstance(await failed(FakeTriton()), EngineFailed)


async def test_a_dead_process_is_a_lost_backend_and_the_watch_is_told() -> None:
    error = await failed(FakeTriton(["Stub process 'demo_0_0' is not healthy."]))

    assert isinstance(error, BackendLost)


async def test_a_stock_ensemble_has_no_tokenizer_to_ask() -> None:
    fake = FakeTriton()
    fake.inputs -= {"task"}

    error = await failed(fake)

    assert isinstance(error, UnsupportedParameter)
    assert error.param == "model"
