"""Requests and responses of a served model as Triton's protocol buffers, without numpy.

A tensor travels as raw little-endian bytes; a string is its length (4 bytes) and
its UTF-8 bytes (KServe v2, "Tensor Data" and "raw_input_contents").
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
from tritonclient.grpc import service_pb2

from frontend_api.adapters.triton_contract import FIELD_OF_TENSOR, INPUTS
from frontend_api.adapters.triton_signature import ASKED_OUTPUTS, ASKING_INPUTS, Signature
from frontend_api.domain.generation import (
    Accepted,
    ChatMessage,
    ChatPrompt,
    Delta,
    GenerationRequest,
    MadeCall,
    Prompt,
    TextPrompt,
    Token,
)
from frontend_api.domain.model import unsupported

Value = str | bytes | int | float | bool
TensorValues = dict[str, Sequence[Value]]

_FORMAT: Final = {"INT32": "i", "FP32": "f", "BOOL": "?", "UINT64": "Q"}
_LENGTH_BYTES: Final = 4
_UINT64: Final = 2**64
# A model that does not declare these works without them.
_DISPENSABLE: Final = frozenset({"stream", "acknowledge", "task"})
# What these mean is what a model without the input does anyway.
_NEUTRAL: Final = {"temperature": 1.0, "top_p": 1.0, "exclude_input_in_output": True}
# Requested of every run; the rest only where somebody reads it.
_OUTPUTS: Final = (
    "text_output", "finish_reason", "num_input_tokens", "num_output_tokens", "num_cached_tokens",
)  # fmt: skip
_TOKEN_OUTPUTS: Final = ("output_ids", "output_tokens")
_TOP_LOG_PROBS: Final = "top_log_probs"
_TYPES: Final = INPUTS | ASKING_INPUTS
_OURS: Final = Signature(frozenset(), frozenset())


def generate_request(request: GenerationRequest, signature: Signature) -> Any:
    """Return the ModelInferRequest of a generation.

    Raises UnsupportedParameter for a field whose tensor the model does not declare.
    """
    tensors = _tensors(request) if signature.can_describe else _stock_tensors(request, signature)
    for name in [name for name in tensors if name not in signature.inputs]:
        value = tensors.pop(name)[0]
        if name not in _DISPENSABLE and _NEUTRAL.get(name) != value:
            field = FIELD_OF_TENSOR.get(name, name)
            raise unsupported(request.client_name(field), request.model)
    if request.log_probs and "output_tokens" not in signature.outputs:
        raise unsupported(request.client_name("logprobs"), request.model)
    wanted = [o for o in _wanted_outputs(request) if o in signature.outputs]
    return infer_request(request.model, tensors, wanted, signature)


def _wanted_outputs(request: GenerationRequest) -> Iterable[str]:
    yield from _OUTPUTS
    if request.n > 1:
        yield "sequence_index"
    if request.needs_tokens or request.log_probs:
        yield from _TOKEN_OUTPUTS
    if request.log_probs:
        yield "output_log_probs"
    if request.top_log_probs:
        yield _TOP_LOG_PROBS


def describe_request(model: str) -> Any:
    """Return the ModelInferRequest that asks a model to describe itself."""
    return infer_request(model, {"task": ("describe",)}, ("text_output",))


def task_request(model: str, task: str, prompt: Prompt, output: str) -> Any:
    """Return the ModelInferRequest that asks for one output of a task on a prompt."""
    return infer_request(model, {"task": (task,), **_prompt_tensor(prompt)}, (output,))


def infer_request(
    model: str, tensors: TensorValues, outputs: Iterable[str], signature: Signature = _OURS
) -> Any:
    """Return a ModelInferRequest with these input tensors, by the names the signature has."""
    message = service_pb2.ModelInferRequest(model_name=model)
    for name, values in tensors.items():
        datatype = _TYPES[name][0]
        shape = (1, len(values)) if signature.is_batched else (len(values),)
        theirs = signature.their_names.get(name, name)
        message.inputs.add(name=theirs, datatype=datatype, shape=shape)
        message.raw_input_contents.append(_packed(datatype, values))
    for name in outputs:
        message.outputs.add(name=name)
    return message


def read_response(response: Any) -> Accepted | Delta | None:
    """Return what a ModelInferResponse holds; None for one without content.

    The first response of an acknowledged request has `num_input_tokens` and no text.
    """
    values = _values(response)
    text = values.get("text_output")
    finish_reason = values.get("finish_reason")
    if text is None and finish_reason is None:
        num_input_tokens = _integer(values.get("num_input_tokens"))
        return Accepted(num_input_tokens) if num_input_tokens else None
    return Delta(
        _integer(values.get("sequence_index")),
        "" if text is None else _string(text),
        _integer(values.get("num_output_tokens")),
        (_string(finish_reason) or None) if finish_reason else None,
        _tokens(values) if "output_ids" in values else (),
        _integer(values.get("num_cached_tokens")),
    )


def _tokens(values: Mapping[str, bytes]) -> tuple[Token, ...]:
    """Return the tokens of a response one by one; it has ids, and the rest if it was asked for."""
    ids = _numbers("i", values["output_ids"])
    texts = _strings(values.get("output_tokens", b"")) or [b""] * len(ids)
    log_probs = _numbers("f", values.get("output_log_probs", b"")) or [None] * len(ids)
    tops = orjson.loads(_string(values.get(_TOP_LOG_PROBS, b"")) or b"[]")
    alternatives = [orjson.dumps(top) for top in tops] or [b""] * len(ids)
    return tuple(map(Token, ids, texts, log_probs, alternatives))


def _numbers(kind: str, raw: bytes) -> Sequence[Any]:
    return struct.unpack(f"<{len(raw) // 4}{kind}", raw)


def _strings(raw: bytes) -> list[bytes]:
    texts: list[bytes] = []
    at = 0
    while at < len(raw):
        end = at + _LENGTH_BYTES + int.from_bytes(raw[at : at + _LENGTH_BYTES], "little")
        texts.append(raw[at + _LENGTH_BYTES : end])
        at = end
    return texts


def read_text(response: Any) -> str:
    """Return the `text_output` of a ModelInferResponse; "" when it has none."""
    return _string(_values(response).get("text_output", b""))


def read_prompt_count(response: Any) -> int:
    """Return the `num_input_tokens` of a ModelInferResponse; 0 when it has none."""
    return _integer(_values(response).get("num_input_tokens"))


def read_ids(response: Any) -> Sequence[int]:
    """Return the `output_ids` of a ModelInferResponse; none when it has none."""
    return _numbers("i", _values(response).get("output_ids", b""))


def _values(response: Any) -> dict[str, bytes]:
    """Return the raw bytes of each output that is not empty."""
    raw = response.raw_output_contents
    return {
        tensor.name: value for tensor, value in zip(response.outputs, raw, strict=True) if value
    }


def _string(raw: bytes) -> str:
    return raw[_LENGTH_BYTES:].decode("utf-8", "replace")


def _integer(raw: bytes | None) -> int:
    """Return an INT32; 0 for an output that is not there."""
    return 0 if raw is None else int.from_bytes(raw[:4], "little", signed=True)


def _tensors(request: GenerationRequest) -> TensorValues:
    tensors: TensorValues = {
        **_prompt_tensor(request.prompt),
        "stream": (request.stream,),
        "acknowledge": (True,),
        "exclude_input_in_output": (not request.echo,),
        "temperature": (request.temperature,),
        "top_p": (request.top_p,),
    }
    optional: dict[str, Value | None] = {
        "max_tokens": request.max_tokens,
        "min_tokens": request.min_tokens or None,
        "top_k": request.top_k or None,
        "min_p": request.min_p or None,
        "repetition_penalty": request.repetition_penalty,
        "presence_penalty": request.presence_penalty or None,
        "frequency_penalty": request.frequency_penalty or None,
        "seed": None if request.seed is None else request.seed % _UINT64,
        "num_return_sequences": request.n if request.n > 1 else None,
        "ignore_eos": request.ignore_eos or None,
        "return_log_probs": request.log_probs or None,
        "top_logprobs": request.top_log_probs or None,
        "lora_name": request.lora_name,
    }
    tensors.update((name, (value,)) for name, value in optional.items() if value is not None)
    lists: dict[str, Sequence[Value]] = {
        "stop_words": request.stop,
        "stop_token_ids": request.stop_token_ids,
        "logit_bias_ids": tuple(request.logit_bias),
        "logit_bias_weights": tuple(request.logit_bias.values()),
    }
    tensors.update((name, values) for name, values in lists.items() if values)
    if request.guide is not None:
        tensors["guided_decoding_guide_type"] = (request.guide.kind,)
        tensors["guided_decoding_guide"] = (request.guide.text,)
    return tensors


def _stock_tensors(request: GenerationRequest, signature: Signature) -> TensorValues:
    """Return the tensors as NVIDIA's stock models mean them.

    They take no temperature of 0; top_k = 1 is greedy. With neither top_k nor top_p given they are
    greedy always, so top_p is given. Their end and pad ids are those of their own tokenizer. The
    prompt is part of an answer only if it comes whole.
    """
    is_stream = request.stream and signature.can_stream
    if request.echo and is_stream:
        raise unsupported(request.client_name("echo"), request.model)
    tensors = _tensors(request)
    if request.temperature == 0 and "top_k" in signature.inputs:
        tensors |= {"top_k": (1,), "temperature": (1.0,)}
    tensors["stream"] = (is_stream,)
    told = (asking for asking, output in ASKED_OUTPUTS.items() if output in signature.outputs)
    return tensors | {name: (True,) for name in told if name in signature.inputs}


def _prompt_tensor(prompt: Prompt) -> TensorValues:
    if isinstance(prompt, TextPrompt):
        return {"text_input": (prompt.text,)}
    if isinstance(prompt, ChatPrompt):
        return _chat_tensors(prompt)
    return {"input_ids": prompt.ids}


def _chat_tensors(prompt: ChatPrompt) -> TensorValues:
    tensors: TensorValues = {"messages": (orjson.dumps([_as_json(m) for m in prompt.messages]),)}
    if prompt.tools:
        tensors["tools"] = (prompt.tools,)
    if prompt.template_kwargs:
        tensors["chat_template_kwargs"] = (prompt.template_kwargs,)
    return tensors


def _as_json(message: ChatMessage) -> dict[str, object]:
    """Return the message as templates know it; what it does not have is left out."""
    optional = {
        "name": message.name,
        "reasoning_content": message.reasoning,
        "tool_call_id": message.call_id,
        "tool_calls": [_call_json(call) for call in message.calls] or None,
    }
    present = {name: value for name, value in optional.items() if value is not None}
    return {"role": message.role, "content": message.content, **present}


def _call_json(call: MadeCall) -> dict[str, object]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _packed(datatype: str, values: Sequence[Value]) -> bytes:
    if datatype == "BYTES":
        return b"".join(_packed_string(value) for value in values)
    return struct.pack(f"<{len(values)}{_FORMAT[datatype]}", *values)


def _packed_string(value: Value) -> bytes:
    encoded = value if isinstance(value, bytes) else str(value).encode()
    return struct.pack("<I", len(encoded)) + encoded
