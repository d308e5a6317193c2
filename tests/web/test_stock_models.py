"""NVIDIA's stock TensorRT-LLM models behind Conch: stand-ins declare exactly their tensors."""

import asyncio
import struct
from dataclasses import replace

import pytest

from frontend_api.domain.errors import EngineFailed, ModelNotReady, UnsupportedParameter
from frontend_api.domain.generation import (
    Accepted,
    ChatMessage,
    ChatPrompt,
    Delta,
    GenerationRequest,
    TextPrompt,
)
from tests.web.fake_triton import FakeTriton, Tensors, integer, listening, text
from tests.web.triton_running import PATIENCE_S, connected, failed, ready, run, until


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENSEMBLE = names(
    """
    text_input decoder_text_input max_tokens num_return_sequences bad_words stop_words
    exclude_input_in_output end_id pad_id top_k top_p temperature length_penalty repetition_penalty
    presence_penalty frequency_penalty return_log_probs return_context_logits
    return_generation_logits return_perf_metrics beam_width stream prompt_embedding_table
    prompt_table_extra_id prompt_vocab_size embedding_bias_words embedding_bias_weights
    lora_task_id lora_weights lora_config guided_decoding_guide_type guided_decoding_guide
    """
)
ENSEMBLE = _ENSEMBLE | {"seed", "min_tokens", "return_num_input_tokens", "return_num_output_tokens"}
OLD_ENSEMBLE = _ENSEMBLE | {"random_seed", "min_length"}
BLS = ENSEMBLE | names(
    "image_input image_bytes_input image_url_input video_bytes_input num_draft_tokens"
    " use_draft_logits"
)
_ANSWER = names(
    """
    text_output cum_log_probs output_log_probs context_logits generation_logits batch_index
    sequence_index kv_cache_alloc_new_blocks kv_cache_reused_blocks kv_cache_alloc_total_blocks
    arrival_time_ns first_scheduled_time_ns first_token_time_ns last_token_time_ns acceptance_rate
    total_accepted_draft_tokens total_draft_tokens
    """
)
COUNTED_ANSWER = _ANSWER | {"num_input_tokens", "num_output_tokens"}
LLMAPI = names(
    """
    text_input image_url streaming sampling_param_best_of sampling_param_temperature
    sampling_param_top_k sampling_param_top_p sampling_param_frequency_penalty
    sampling_param_presence_penalty sampling_param_max_tokens sampling_param_stop
    sampling_param_seed sampling_param_exclude_input_from_output
    sampling_param_return_perf_metrics return_finish_reason return_stop_reason
    return_cumulative_logprob stop lora_id lora_name lora_path lora_ckpt_source
    """
)
LLMAPI_ANSWER = frozenset({"text_output", "finish_reason", "stop_reason", "cumulative_logprob"})
PREPROCESSING = frozenset({"QUERY", "REQUEST_OUTPUT_LEN", "END_ID", "PAD_ID"})
REQUEST = GenerationRequest(
    model="demo",
    prompt=TextPrompt("hi"),
    stream=True,
    max_tokens=2,
    min_tokens=1,
    seed=7,
    stop=("x", "yz"),
)
CHAT = ChatPrompt((ChatMessage("user", "hi"),))


def stock(inputs: frozenset[str], outputs: frozenset[str], *answers: Tensors) -> FakeTriton:
    fake = FakeTriton(answers)
    fake.inputs, fake.outputs = inputs, outputs
    return fake


def piece(value: str, num_tokens: int = 1) -> Tensors:
    counts = {"num_input_tokens": integer(3), "num_output_tokens": integer(num_tokens)}
    return {"text_output": text(value), **counts}


@pytest.mark.parametrize("inputs", [ENSEMBLE, BLS], ids=["ensemble", "bls"])
async def test_a_stock_model_is_asked_in_its_own_words_and_counted(inputs: frozenset[str]) -> None:
    fake = stock(inputs, COUNTED_ANSWER, piece("a"), piece("b"))
    async with ready(fake) as triton:
        events = await run(triton, REQUEST)

    assert events == [Accepted(3), Delta(0, "a", 1), Delta(0, "b", 1), Delta(0, "", 0, "length")]
    (asked,) = fake.requests
    assert {tensor.name for tensor in asked.inputs} == {
        "text_input", "stream", "exclude_input_in_output", "temperature", "top_p", "max_tokens",
        "min_tokens", "seed", "stop_words", "return_num_input_tokens", "return_num_output_tokens",
    }  # fmt: skip
    assert {tuple(tensor.shape) for tensor in asked.inputs} == {(1, 1), (1, 2)}
    assert fake.tensor("stream") == b"\x01"


async def test_an_answer_short_of_its_limit_has_stopped() -> None:
    async with ready(stock(ENSEMBLE, COUNTED_ANSWER, piece("a"), piece("", 0))) as triton:
        events = await run(triton, REQUEST)

    assert events[-1] == Delta(0, "", 0, "stop")


async def test_before_container_25_06_two_tensors_had_other_names() -> None:
    fake = stock(OLD_ENSEMBLE, _ANSWER, {"text_output": text("a")}, {"text_output": text("b")})
    async with ready(fake) as triton:
        events = await run(triton, REQUEST)

    assert fake.tensor("random_seed") == struct.pack("<Q", 7)
    assert fake.tensor("min_length") == integer(1)
    assert events == [Delta(0, "a", 1), Delta(0, "b", 1), Delta(0, "", 0, "stop")]


async def test_the_llmapi_model_is_asked_for_the_whole_answer_without_a_batch() -> None:
    answer = {"text_output": text("all of it"), "finish_reason": text("length")}
    fake = stock(LLMAPI, LLMAPI_ANSWER, answer)
    fake.max_batch_size = 0
    async with ready(fake) as triton:
        events = await run(triton, replace(REQUEST, min_tokens=None))

    assert events == [Delta(0, "all of it", 1, "length")]
    (asked,) = fake.requests
    assert {tensor.name: tuple(tensor.shape) for tensor in asked.inputs} == {
        "text_input": (1,),
        "sampling_param_max_tokens": (1,),
        "sampling_param_temperature": (1,),
        "sampling_param_top_p": (1,),
        "sampling_param_seed": (1,),
        "sampling_param_stop": (2,),
        "sampling_param_exclude_input_from_output": (1,),
        "return_finish_reason": (1,),
    }


async def test_a_repository_that_does_not_stream_answers_whole() -> None:
    fake = stock(ENSEMBLE, COUNTED_ANSWER, piece("a b", 2))
    fake.is_decoupled = False
    async with ready(fake) as triton:
        events = await run(triton, REQUEST)

    assert events == [Accepted(3), Delta(0, "a b", 2), Delta(0, "", 0, "length")]
    assert fake.tensor("stream") == b"\x00"


async def test_each_of_several_answers_ends() -> None:
    pieces = [piece("a") | {"sequence_index": integer(index)} for index in (0, 1, 1)]
    async with ready(stock(ENSEMBLE, COUNTED_ANSWER, *pieces)) as triton:
        events = await run(triton, replace(REQUEST, n=2))

    assert events[-2:] == [Delta(0, "", 0, "stop"), Delta(1, "", 0, "length")]


async def test_greedy_is_asked_for_by_top_k() -> None:
    fake = stock(ENSEMBLE, COUNTED_ANSWER, piece("a"))
    async with ready(fake) as triton:
        await run(triton, replace(REQUEST, temperature=0.0))

    assert fake.tensor("top_k") == integer(1)
    assert fake.tensor("temperature") == struct.pack("<f", 1)


async def test_a_limit_is_always_given() -> None:
    fake = stock(ENSEMBLE, COUNTED_ANSWER, piece("a"))
    async with ready(fake) as triton:
        await run(triton, replace(REQUEST, max_tokens=None))

    assert fake.tensor("max_tokens") == integer(2048)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"min_p": 0.1}, "min_p"),
        ({"ignore_eos": True}, "ignore_eos"),
        ({"logit_bias": {5: 1.0}}, "logit_bias"),
        ({"log_probs": True}, "logprobs"),
        ({"echo": True}, "echo"),
        ({"prompt": CHAT}, "messages"),
    ],
)
async def test_what_a_stock_model_cannot_do_is_refused_by_name(
    change: dict[str, object], param: str
) -> None:
    fake = stock(ENSEMBLE, COUNTED_ANSWER)
    request = replace(REQUEST, **change)  # type: ignore[arg-type]
    async with ready(fake) as triton:
        error = await failed(triton, request)

    assert isinstance(error, UnsupportedParameter)
    assert error.param == param
    assert fake.requests == []


async def test_a_chat_without_a_template_tells_what_would_help() -> None:
    async with ready(stock(ENSEMBLE, COUNTED_ANSWER)) as triton:
        error = await failed(triton, replace(REQUEST, prompt=CHAT))

    assert "/v1/completions" in error.message
    assert "models.chat_templates" in error.message


async def test_a_chat_template_that_is_not_there_is_told_before_the_model_is_asked() -> None:
    fake = stock(ENSEMBLE, COUNTED_ANSWER)
    async with (
        listening(fake) as port,
        connected(port, chat_templates={"demo": "qwen"}) as triton,
    ):
        await until(lambda: triton.catalogue.readiness().is_ready)
        error = await failed(triton, replace(REQUEST, prompt=CHAT))

    assert isinstance(error, ModelNotReady)
    assert fake.requests == []


async def test_an_answer_without_any_response_is_a_failure() -> None:
    async with ready(stock(ENSEMBLE, COUNTED_ANSWER)) as triton:
        assert isinstance(await failed(triton, REQUEST), EngineFailed)


@pytest.mark.parametrize("is_decoupled", [True, False])
async def test_the_parts_of_a_stock_repository_are_not_listed(is_decoupled: bool) -> None:
    fake = stock(PREPROCESSING, frozenset({"INPUT_ID"}))
    fake.is_decoupled = is_decoupled
    async with listening(fake) as port, connected(port) as triton, asyncio.timeout(PATIENCE_S):
        await until(lambda: bool(triton.catalogue.names()))

        assert list(triton.catalogue.listed()) == []
