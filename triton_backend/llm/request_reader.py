"""From tensors to a checked GenerationRequest; nothing else sees a request before."""

from collections.abc import Callable, Mapping
from typing import Final

from .contract import Tensor
from .errors import InvalidRequest
from .messages import parse_messages
from .request import (
    ChatPrompt,
    GenerationRequest,
    Guide,
    GuideKind,
    Prompt,
    Sampling,
    Task,
    TextPrompt,
    TokenPrompt,
)
from .tensor_reader import TensorReader

MAX_STOP_WORDS: Final = 64
MAX_STOP_WORD_CHARS: Final = 1024
_TASKS: Final[Mapping[str, Task]] = {
    "generate": "generate",
    "tokenize": "tokenize",
    "detokenize": "detokenize",
    "describe": "describe",
}
_GUIDES: Final[Mapping[str, GuideKind]] = {
    "json": "json",
    "json_schema": "json_schema",
    "regex": "regex",
    "ebnf_grammar": "ebnf_grammar",
}


def read_request(tensors: Mapping[str, Tensor]) -> GenerationRequest:
    """The checked request in these tensors; InvalidRequest names the tensor at fault."""
    reader = TensorReader(tensors)
    task_name = reader.text("task") or "generate"
    task = _TASKS.get(task_name)
    if task is None:
        raise InvalidRequest(f"Unknown task {task_name!r}.", param="task")
    end_id = reader.integer("end_id")
    return GenerationRequest(
        task=task,
        prompt=_read_prompt(reader, task),
        sampling=_read_sampling(reader),
        max_tokens=reader.integer("max_tokens"),
        seed=reader.integer("seed"),
        end_id=None if end_id == -1 else end_id,
        stop_token_ids=reader.integers("stop_token_ids"),
        stop_words=_read_stop_words(reader),
        n=reader.integer("num_return_sequences") or 1,
        is_stream=reader.switch("stream", default=False),
        is_acknowledged=reader.switch("acknowledge", default=False),
        has_echo=not reader.switch("exclude_input_in_output", default=True),
    )


_PROMPTS: Final[Mapping[str, Callable[[TensorReader], Prompt]]] = {
    "text_input": lambda reader: TextPrompt(reader.text("text_input") or ""),
    "messages": lambda reader: ChatPrompt(
        messages=parse_messages(reader.text("messages") or ""),
        tools=reader.json_objects("tools"),
        template_kwargs=reader.json_object("chat_template_kwargs"),
    ),
    "input_ids": lambda reader: TokenPrompt(reader.integers("input_ids")),
}


def _read_prompt(reader: TensorReader, task: Task) -> Prompt | None:
    if task == "describe":
        return None
    given = [name for name in _PROMPTS if reader.has(name)]
    if len(given) != 1:
        raise InvalidRequest(
            "Exactly one of text_input, messages and input_ids must be given.",
            param=given[1] if given else "messages",
            code="invalid_value" if given else "missing_required_parameter",
        )
    prompt = _PROMPTS[given[0]](reader)
    if (task == "detokenize") != isinstance(prompt, TokenPrompt) and task != "generate":
        raise InvalidRequest(f"Task {task} does not take {given[0]}.", param=given[0])
    return prompt


def _read_sampling(reader: TensorReader) -> Sampling:
    return Sampling(
        temperature=reader.number("temperature", 1.0),
        top_p=reader.number("top_p", 1.0),
        top_k=reader.integer("top_k") or 0,
        min_p=reader.number("min_p", 0.0),
        repetition_penalty=reader.number("repetition_penalty", 1.0),
        presence_penalty=reader.number("presence_penalty", 0.0),
        frequency_penalty=reader.number("frequency_penalty", 0.0),
        min_tokens=reader.integer("min_tokens") or 0,
        ignore_eos=reader.switch("ignore_eos", default=False),
        log_probs=reader.switch("return_log_probs", default=False),
        top_log_probs=reader.integer("top_logprobs") or 0,
        logit_bias=_read_logit_bias(reader),
        guide=_read_guide(reader),
        lora_name=reader.text("lora_name") or None,
    )


def _read_logit_bias(reader: TensorReader) -> Mapping[int, float] | None:
    ids, weights = reader.integers("logit_bias_ids"), reader.numbers("logit_bias_weights")
    if len(ids) != len(weights):
        raise InvalidRequest(
            "logit_bias_ids and logit_bias_weights must have the same length.",
            param="logit_bias_weights",
        )
    return dict(zip(ids, weights, strict=True)) or None


def _read_guide(reader: TensorReader) -> Guide | None:
    name = reader.text("guided_decoding_guide_type")
    text = reader.text("guided_decoding_guide")
    if not name:
        if text:
            raise InvalidRequest(
                "guided_decoding_guide needs guided_decoding_guide_type.",
                param="guided_decoding_guide_type",
            )
        return None
    kind = _GUIDES.get(name)
    if kind is None:
        raise InvalidRequest(f"Unknown guide type {name!r}.", param="guided_decoding_guide_type")
    if kind != "json" and not text:
        raise InvalidRequest(f"Guide type {name} needs a guide.", param="guided_decoding_guide")
    return Guide(kind, text or "")


def _read_stop_words(reader: TensorReader) -> tuple[str, ...]:
    # NVIDIA's stock clients send [""] for "none".
    words = tuple(word for word in reader.texts("stop_words") if word)
    if len(words) > MAX_STOP_WORDS:
        message = f"At most {MAX_STOP_WORDS} stop words are allowed."
        raise InvalidRequest(message, param="stop_words", code="array_above_max_length")
    if any(len(word) > MAX_STOP_WORD_CHARS for word in words):
        message = f"A stop word may have at most {MAX_STOP_WORD_CHARS} characters."
        raise InvalidRequest(message, param="stop_words", code="string_above_max_length")
    return words
