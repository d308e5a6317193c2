"""Prompts, lengths, seeds and what an engine cannot do."""

from dataclasses import replace

import pytest

from tests.unit.backend.asking import Value, tensors
from tests.unit.backend.test_chat_template import CHATML
from tests.unit.backend.test_manifest import MANIFEST
from tests.unit.backend.tokenizers_made import byte_level_json
from triton_backend.llm.chat_template import ChatTemplate
from triton_backend.llm.errors import InvalidRequest
from triton_backend.llm.manifest import CAPABILITIES
from triton_backend.llm.preprocessing import MAX_PROMPT_CHARS, Preprocessor
from triton_backend.llm.request import GenerationRequest, TextPrompt, TokenPrompt
from triton_backend.llm.request_reader import read_request
from triton_backend.llm.tokenizer import Tokenizer

TOKENIZER = Tokenizer(byte_level_json())
ABLE = replace(MANIFEST, capabilities=tuple(CAPABILITIES))


def preprocessor(template: str | None = CHATML, capabilities: tuple[str, ...] = ()) -> Preprocessor:
    manifest = replace(MANIFEST, capabilities=capabilities)
    chat = None if template is None else ChatTemplate(template)
    return Preprocessor(manifest, TOKENIZER, chat)


def asked(**values: Value | list[int]) -> GenerationRequest:
    prompt: dict[str, Value | list[int]] = {"text_input": "Hi"}
    return read_request(tensors(**(prompt | values)))


def chat(content: str) -> GenerationRequest:
    messages = f'[{{"role": "user", "content": "{content}"}}]'
    return read_request(tensors(messages=messages))


def test_a_chat_prompt_goes_through_the_template() -> None:
    prompt = chat("Hi").prompt
    assert prompt is not None

    encoded = preprocessor().encode(prompt)

    assert encoded.text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert TOKENIZER.decode(encoded.ids, has_special_tokens=True) == encoded.text


def test_a_model_without_a_template_refuses_messages() -> None:
    prompt = chat("Hi").prompt
    assert prompt is not None

    with pytest.raises(InvalidRequest) as caught:
        preprocessor(template=None).encode(prompt)

    assert (caught.value.param, caught.value.code) == ("messages", "unsupported_parameter")


@pytest.mark.parametrize("prompt", [TextPrompt(""), TokenPrompt(())])
def test_an_empty_prompt_is_refused(prompt: TextPrompt | TokenPrompt) -> None:
    with pytest.raises(InvalidRequest, match="empty"):
        preprocessor().encode(prompt)


@pytest.mark.parametrize("token_id", [-1, 10**6])
def test_an_unknown_token_id_is_refused(token_id: int) -> None:
    with pytest.raises(InvalidRequest, match=str(token_id)) as caught:
        preprocessor().encode(TokenPrompt((1, token_id)))

    assert caught.value.param == "input_ids"


def test_half_a_surrogate_pair_is_refused() -> None:
    prompt = chat("\\ud800").prompt
    assert prompt is not None

    with pytest.raises(InvalidRequest, match="Unicode") as caught:
        preprocessor().encode(prompt)

    assert caught.value.param == "messages"


def test_a_huge_prompt_is_refused_before_it_is_tokenized() -> None:
    with pytest.raises(InvalidRequest) as caught:
        preprocessor().encode(TextPrompt("a" * (MAX_PROMPT_CHARS + 1)))

    assert caught.value.code == "string_above_max_length"


def test_without_max_tokens_all_that_is_left_of_the_context_is_used() -> None:
    (params,) = preprocessor().settle(asked(), num_prompt=28)

    assert params.max_tokens == MANIFEST.context_length - 28


def test_max_tokens_up_to_the_end_of_the_context_are_allowed() -> None:
    (params,) = preprocessor().settle(asked(max_tokens=100), num_prompt=28)

    assert params.max_tokens == 100


def test_too_many_tokens_are_refused_in_openais_words_with_the_counts() -> None:
    with pytest.raises(InvalidRequest) as caught:
        preprocessor().settle(asked(max_tokens=101), num_prompt=28)

    assert caught.value.message == (
        "This model's maximum context length is 128 tokens. However, you requested 129 tokens "
        "(28 in the prompt, 101 in the completion). Please reduce the length of the prompt or "
        "completion."
    )
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "text_input")
    assert caught.value.counts == {"prompt_tokens": 28, "max_tokens": 101, "context_length": 128}


def test_a_prompt_that_fills_the_context_is_refused_in_openais_words() -> None:
    with pytest.raises(InvalidRequest) as caught:
        preprocessor().settle(chat("Hi"), num_prompt=128)

    assert caught.value.message == (
        "This model's maximum context length is 128 tokens. However, your messages resulted in "
        "128 tokens. Please reduce the length of the messages."
    )
    assert caught.value.param == "messages"


def test_min_tokens_above_max_tokens_are_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        preprocessor().settle(asked(max_tokens=3, min_tokens=4), num_prompt=1)

    assert caught.value.param == "min_tokens"


def test_sequences_count_up_from_the_seed() -> None:
    request = asked(seed=2**64 - 1, num_return_sequences=3)

    assert [one.seed for one in preprocessor().settle(request, 1)] == [2**64 - 1, 0, 1]


def test_without_a_seed_each_request_gets_another() -> None:
    seeds = {preprocessor().settle(asked(), 1)[0].seed for _ in range(8)}

    assert len(seeds) == 8


def test_the_models_end_tokens_stop_unless_the_client_names_one() -> None:
    assert preprocessor().settle(asked(), 1)[0].stop_token_ids == (2, 0)
    assert preprocessor().settle(asked(end_id=7), 1)[0].stop_token_ids == (7,)


def test_a_grammar_always_ends_with_the_models_own_end_token() -> None:
    request = asked(end_id=7, guided_decoding_guide_type="json")

    assert preprocessor().settle(request, 1)[0].stop_token_ids == (7, 2, 0)


@pytest.mark.parametrize(
    ("name", "value", "capability"),
    [
        ("num_return_sequences", 2, "n"),
        ("seed", 0, "seed"),
        ("top_k", 1, "top_k"),
        ("min_p", 0.5, "min_p"),
        ("repetition_penalty", 1.5, "repetition_penalty"),
        ("presence_penalty", 0.5, "presence_penalty"),
        ("frequency_penalty", -0.5, "frequency_penalty"),
        ("min_tokens", 1, "min_tokens"),
        ("ignore_eos", True, "ignore_eos"),
        ("return_log_probs", True, "log_probs"),
        ("top_logprobs", 1, "top_log_probs"),
        ("guided_decoding_guide_type", "json", "json"),
        ("lora_name", "poet", "lora"),
    ],
)
def test_what_an_engine_cannot_do_is_refused_by_name(
    name: str, value: Value, capability: str
) -> None:
    others = tuple(CAPABILITIES - {capability})

    with pytest.raises(InvalidRequest) as caught:
        preprocessor(capabilities=others).refuse_unsupported(asked(**{name: value}))

    assert (caught.value.param, caught.value.code) == (name, "unsupported_parameter")
    preprocessor(capabilities=(capability,)).refuse_unsupported(asked(**{name: value}))


def test_defaults_that_are_written_out_ask_for_nothing() -> None:
    request = asked(
        num_return_sequences=1,
        top_k=0,
        min_p=0.0,
        repetition_penalty=1.0,
        presence_penalty=0.0,
        frequency_penalty=0.0,
        min_tokens=0,
        ignore_eos=False,
        return_log_probs=False,
        top_logprobs=0,
        lora_name="",
        guided_decoding_guide_type="",
    )

    preprocessor().refuse_unsupported(request)


@pytest.mark.parametrize(("name", "value"), [("ignore_eos", True), ("min_tokens", 1)])
def test_a_grammar_cannot_be_told_to_go_on_after_its_end(name: str, value: Value) -> None:
    request = asked(guided_decoding_guide_type="json", **{name: value})

    with pytest.raises(InvalidRequest, match="guided") as caught:
        preprocessor(capabilities=tuple(CAPABILITIES)).refuse_unsupported(request)

    assert caught.value.param == name


def test_further_stop_tokens_stop_beside_the_models_own_or_the_clients() -> None:
    own = preprocessor().settle(asked(), 1)[0].stop_token_ids

    beside = preprocessor().settle(asked(stop_token_ids=[5, 6]), 1)[0].stop_token_ids
    instead = preprocessor().settle(asked(stop_token_ids=[5], end_id=7), 1)[0].stop_token_ids

    assert beside == (5, 6, *own)
    assert instead == (7, 5)
