"""From tensors to a checked request."""

import math

import numpy as np
import pytest

from tests.unit.backend.asking import Value, tensors
from triton_backend.llm.contract import INPUTS
from triton_backend.llm.errors import InvalidRequest
from triton_backend.llm.request import ChatPrompt, Guide, Sampling, TextPrompt, TokenPrompt
from triton_backend.llm.request_reader import read_request
from triton_backend.llm.tensor_reader import RANGES

HELLO = '[{"role": "user", "content": "Hi"}]'


def test_a_prompt_alone_asks_for_the_defaults() -> None:
    request = read_request(tensors(text_input="Hi"))

    assert request.task == "generate"
    assert request.prompt == TextPrompt("Hi")
    assert (request.n, request.max_tokens, request.seed, request.end_id) == (1, None, None, None)
    assert not (request.is_stream)
    assert not (request.is_acknowledged)
    assert not (request.has_echo)
    assert request.sampling.temperature == 1
    assert request.stop_words == ()


def test_what_is_to_be_generated_is_read() -> None:
    request = read_request(
        tensors(
            messages=HELLO,
            tools='[{"type": "function"}]',
            chat_template_kwargs='{"enable_thinking": false}',
            max_tokens=7,
            stream=True,
            num_return_sequences=3,
            seed=2**64 - 1,
            stop_words=["a", "", "b"],
            end_id=9,
            exclude_input_in_output=False,
            acknowledge=True,
            task="generate",
        )
    )

    assert isinstance(request.prompt, ChatPrompt)
    assert request.prompt.tools == ({"type": "function"},)
    assert request.prompt.template_kwargs == {"enable_thinking": False}
    assert (request.max_tokens, request.n, request.seed) == (7, 3, 2**64 - 1)
    assert (request.end_id, request.stop_words) == (9, ("a", "b"))
    assert (request.is_stream, request.is_acknowledged, request.has_echo) == (True, True, True)


def test_how_tokens_are_chosen_is_read() -> None:
    request = read_request(
        tensors(
            text_input="Hi",
            min_tokens=2,
            temperature=0.5,
            top_k=4,
            top_p=0.25,
            min_p=0.125,
            repetition_penalty=1.5,
            presence_penalty=-1.0,
            frequency_penalty=2.0,
            ignore_eos=True,
            return_log_probs=True,
            top_logprobs=5,
            logit_bias_ids=[1, 2],
            logit_bias_weights=[0.5, -100.0],
            guided_decoding_guide_type="regex",
            guided_decoding_guide="[ab]",
            lora_name="poet",
        )
    )

    assert request.sampling == Sampling(
        temperature=0.5,
        top_p=0.25,
        top_k=4,
        min_p=0.125,
        repetition_penalty=1.5,
        presence_penalty=-1,
        frequency_penalty=2,
        min_tokens=2,
        ignore_eos=True,
        log_probs=True,
        top_log_probs=5,
        logit_bias={1: 0.5, 2: -100},
        guide=Guide("regex", "[ab]"),
        lora_name="poet",
    )


def test_token_ids_are_a_prompt() -> None:
    assert read_request(tensors(input_ids=[1, 2])).prompt == TokenPrompt((1, 2))


def test_stop_words_of_a_stock_client_mean_none() -> None:
    assert read_request(tensors(text_input="Hi", stop_words=[""])).stop_words == ()


def test_end_id_minus_one_means_the_models_own() -> None:
    assert read_request(tensors(text_input="Hi", end_id=-1)).end_id is None


def test_describe_needs_no_prompt() -> None:
    assert read_request(tensors(task="describe")).prompt is None


OUT_OF_RANGE = [
    (name, value)
    for name, allowed in RANGES.items()
    for value in (allowed.low if allowed.is_open_below else allowed.low - 1, allowed.high + 1)
    if INPUTS[name][0] == "FP32" or (INPUTS[name][0] == "INT32" and abs(value) < 2**31)
]


@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE)
def test_a_number_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    number: Value = float(value) if INPUTS[name][0] == "FP32" else int(value)

    with pytest.raises(InvalidRequest, match=f"^{name} must be") as caught:
        read_request(tensors(text_input="Hi") | tensors(**{name: number}))

    assert (caught.value.param, caught.value.code) == (name, "invalid_value")


@pytest.mark.parametrize("name", [name for name, (kind, _) in INPUTS.items() if kind == "FP32"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(name: str, value: float) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_request(tensors(text_input="Hi") | tensors(**{name: value}))

    assert caught.value.param == name


TEXT_INPUTS = [name for name, (kind, _) in INPUTS.items() if kind == "BYTES"]


@pytest.mark.parametrize("name", TEXT_INPUTS)
def test_invalid_utf8_is_refused_by_name(name: str) -> None:
    prompt = {} if name in ("text_input", "messages") else tensors(messages=HELLO)

    with pytest.raises(InvalidRequest, match="not valid UTF-8") as caught:
        read_request(prompt | tensors(**{name: b"\xff\xfe"}))

    assert caught.value.param == name


SCALARS = [name for name, (_, dims) in INPUTS.items() if dims == (1,)]


@pytest.mark.parametrize("name", SCALARS)
@pytest.mark.parametrize("length", [0, 2])
def test_one_value_means_exactly_one(name: str, length: int) -> None:
    prompt = {} if name in ("text_input", "messages") else tensors(messages=HELLO)
    kind = np.object_ if INPUTS[name][0] == "BYTES" else np.int32
    array = np.array([[b"1"] * length if kind is np.object_ else [1] * length], dtype=kind)

    with pytest.raises(InvalidRequest, match="exactly one value") as caught:
        read_request(prompt | {name: array})

    assert caught.value.param == name


@pytest.mark.parametrize(
    ("asked", "param", "code"),
    [
        ({}, "messages", "missing_required_parameter"),
        ({"text_input": "Hi", "messages": HELLO}, "messages", "invalid_value"),
        ({"text_input": "Hi", "input_ids": [1]}, "input_ids", "invalid_value"),
        ({"text_input": "Hi", "task": "dance"}, "task", "invalid_value"),
        ({"text_input": "Hi", "task": "detokenize"}, "text_input", "invalid_value"),
        ({"input_ids": [1], "task": "tokenize"}, "input_ids", "invalid_value"),
        ({"messages": HELLO, "tools": "{}"}, "tools", "invalid_value"),
        ({"messages": HELLO, "tools": "[1]"}, "tools", "invalid_value"),
        (
            {"messages": HELLO, "chat_template_kwargs": "[]"},
            "chat_template_kwargs",
            "invalid_value",
        ),
        ({"text_input": "Hi", "logit_bias_ids": [1]}, "logit_bias_weights", "invalid_value"),
        (
            {"text_input": "Hi", "guided_decoding_guide": "a"},
            "guided_decoding_guide_type",
            "invalid_value",
        ),
        (
            {"text_input": "Hi", "guided_decoding_guide_type": "poem"},
            "guided_decoding_guide_type",
            "invalid_value",
        ),
        (
            {"text_input": "Hi", "guided_decoding_guide_type": "regex"},
            "guided_decoding_guide",
            "invalid_value",
        ),
        ({"text_input": "Hi", "stop_words": ["a"] * 65}, "stop_words", "array_above_max_length"),
        ({"text_input": "Hi", "stop_words": "a" * 1025}, "stop_words", "string_above_max_length"),
    ],
)
def test_a_wrong_request_names_the_tensor(asked: dict[str, Value], param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_request(tensors(**asked))

    assert (caught.value.param, caught.value.code) == (param, code)


def test_an_unknown_tensor_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_request({"bogus": np.array([[1]])})

    assert (caught.value.param, caught.value.code) == ("bogus", "unknown_parameter")
