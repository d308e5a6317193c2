"""The tensors of everything out of the ordinary, and tokens read one by one."""

import json
import struct
from dataclasses import replace

from frontend_api.domain.generation import (
    ChatMessage,
    ChatPrompt,
    Delta,
    GenerationRequest,
    Guide,
    MadeCall,
    TextPrompt,
    Token,
)
from tests.web.fake_triton import FakeTriton, Tensors, delta, integer, text
from tests.web.triton_running import REQUEST, failed, ready, run


def numbers(kind: str, *values: float) -> bytes:
    return struct.pack(f"<{len(values)}{kind}", *values)


async def test_every_optional_field_has_its_tensor() -> None:
    fake = FakeTriton([delta("x", reason="stop")])
    request = GenerationRequest(
        model="demo",
        prompt=TextPrompt("hi"),
        stop_token_ids=(7, 8),
        logit_bias={5: -1.5, 6: 2.0},
        log_probs=True,
        top_log_probs=3,
        guide=Guide("regex", "a+"),
        echo=True,
    )
    async with ready(fake) as triton:
        await run(triton, request)

    assert fake.tensor("stop_token_ids") == numbers("i", 7, 8)
    assert fake.tensor("logit_bias_ids") == numbers("i", 5, 6)
    assert fake.tensor("logit_bias_weights") == numbers("f", -1.5, 2.0)
    assert fake.tensor("return_log_probs") == b"\x01"
    assert fake.tensor("top_logprobs") == integer(3)
    assert fake.tensor("guided_decoding_guide_type") == text("regex")
    assert fake.tensor("guided_decoding_guide") == text("a+")
    assert fake.tensor("exclude_input_in_output") == b"\x00"
    outputs = {tensor.name for tensor in fake.requests[-1].outputs}
    assert {"output_ids", "output_tokens", "output_log_probs", "top_log_probs"} <= outputs


async def test_tokens_are_asked_for_only_when_somebody_reads_them() -> None:
    fake = FakeTriton([delta("x", reason="stop")])
    async with ready(fake) as triton:
        await run(triton)

    outputs = {tensor.name for tensor in fake.requests[-1].outputs}
    assert not outputs & {"output_ids", "output_tokens", "output_log_probs", "top_log_probs"}
    assert fake.tensor("return_log_probs") is None
    assert fake.tensor("stop_token_ids") is None


async def test_messages_carry_calls_and_their_answers_to_the_template() -> None:
    fake = FakeTriton([delta("x", reason="stop")])
    messages = (
        ChatMessage("assistant", None, reasoning="hm", calls=(MadeCall("a", "f", "{}"),)),
        ChatMessage("tool", "sunny", call_id="a"),
    )
    prompt = ChatPrompt(messages, tools='[{"type":"function"}]', template_kwargs='{"k":1}')
    async with ready(fake) as triton:
        await run(triton, replace(REQUEST, prompt=prompt))

    raw = fake.tensor("messages")
    assert raw is not None
    function = {"name": "f", "arguments": "{}"}
    assert json.loads(raw[4:]) == [
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "tool_calls": [{"id": "a", "type": "function", "function": function}],
        },
        {"role": "tool", "content": "sunny", "tool_call_id": "a"},
    ]
    assert fake.tensor("tools") == text('[{"type":"function"}]')
    assert fake.tensor("chat_template_kwargs") == text('{"k":1}')


async def test_tokens_come_with_their_bytes_log_probs_and_alternatives() -> None:
    answer: Tensors = {
        **delta("hé", reason="stop"),
        "output_ids": numbers("i", 5, 6),
        "output_tokens": text("h") + struct.pack("<I", 2) + b"\xc3\xa9",
        "output_log_probs": numbers("f", -0.5, -1.0),
        "top_log_probs": text('[[{"token":"h"}],[]]'),
        "num_cached_tokens": integer(4),
    }
    fake = FakeTriton([answer])
    async with ready(fake) as triton:
        (event,) = await run(triton, replace(REQUEST, log_probs=True, top_log_probs=1))

    tokens = (
        Token(5, b"h", -0.5, b'[{"token":"h"}]'),
        Token(6, b"\xc3\xa9", -1.0, b"[]"),
    )
    assert event == Delta(0, "hé", 1, "stop", tokens, num_cached_tokens=4)


async def test_an_empty_list_of_tokens_is_no_token() -> None:
    fake = FakeTriton([{**delta("", reason="stop"), "output_ids": b""}])
    async with ready(fake) as triton:
        (event,) = await run(triton, replace(REQUEST, needs_tokens=True))

    assert event == Delta(0, "", 1, "stop")


async def test_log_probs_of_a_model_that_cannot_spell_its_tokens_are_refused_by_name() -> None:
    fake = FakeTriton()
    fake.outputs = fake.outputs - {"output_tokens"}
    fake.description["capabilities"] = ["log_probs"]
    async with ready(fake) as triton:
        error = await failed(triton, replace(REQUEST, log_probs=True))

    assert (error.param, error.code) == ("logprobs", "unsupported_parameter")


async def test_an_echo_that_the_model_cannot_make_is_refused_by_name() -> None:
    fake = FakeTriton()
    fake.inputs = fake.inputs - {"exclude_input_in_output"}
    async with ready(fake) as triton:
        error = await failed(triton, replace(REQUEST, echo=True))

    assert (error.param, error.code) == ("echo", "unsupported_parameter")


async def test_a_guide_the_backend_refuses_is_told_by_the_field_that_held_it() -> None:
    refusal = {"code": "invalid_value", "param": "guided_decoding_guide", "message": "bad"}
    fake = FakeTriton([json.dumps(refusal)])
    request = replace(
        REQUEST, guide=Guide("regex", "("), renamed={"response_format": "guided_regex"}
    )
    async with ready(fake) as triton:
        error = await failed(triton, request)

    assert (error.param, error.code) == ("guided_regex", "invalid_value")
