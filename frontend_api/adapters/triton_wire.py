"""Requests and responses of a served model as Triton's protocol buffers, without numpy.

A tensor travels as raw little-endian bytes; a string is its length (4 bytes) and
its UTF-8 bytes (KServe v2, "Tensor Data" and "raw_input_contents").
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from tritonclient.grpc import service_pb2

from frontend_api.adapters.triton_contract import FIELD_OF_TENSOR, INPUTS
from frontend_api.domain.generation import (
    Accepted,
    ChatMessage,
    ChatPrompt,
    Delta,
    GenerationRequest,
    Prompt,
    TextPrompt,
)
from frontend_api.domain.model import unsupported

Value = str | bytes | int | float | bool
TensorValues = dict[str, Sequence[Value]]

_FORMAT: Final = {"INT32": "i", "FP32": "f", "BOOL": "?", "UINT64": "Q"}
_LENGTH_BYTES: Final = 4
_UINT64: Final = 2**64
# A model that does not declare these works without them.
_DISPENSABLE: Final = frozenset({"stream", "acknowledge", "exclude_input_in_output", "task"})
# What these mean is what a model without the input does anyway.
_NEUTRAL: Final = {"temperature": 1.0, "top_p": 1.0}
# Requested of every run; the rest only where somebody reads it.
_OUTPUTS: Final = ("text_output", "finish_reason", "num_input_tokens", "num_output_tokens")


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs and outputs a model declares."""

    inputs: frozenset[str]
    outputs: frozenset[str]

    @property
    def can_describe(self) -> bool:
        """Whether the model answers `task`: ours do, a stock ensemble does not."""
        return "task" in self.inputs


def generate_request(request: GenerationRequest, signature: Signature) -> Any:
    """Return the ModelInferRequest of a generation.

    Raises UnsupportedParameter for a field whose tensor the model does not declare.
    """
    tensors = _tensors(request)
    for name in [name for name in tensors if name not in signature.inputs]:
        value = tensors.pop(name)[0]
        if name not in _DISPENSABLE and _NEUTRAL.get(name) != value:
            field = FIELD_OF_TENSOR.get(name, name)
            raise unsupported(request.client_name(field), request.model)
    wanted = [*_OUTPUTS, "sequence_index"] if request.n > 1 else _OUTPUTS
    return infer_request(request.model, tensors, [o for o in wanted if o in signature.outputs])


def describe_request(model: str) -> Any:
    """Return the ModelInferRequest that asks a model to describe itself."""
    return infer_request(model, {"task": ("describe",)}, ("text_output",))


def infer_request(model: str, tensors: TensorValues, outputs: Iterable[str]) -> Any:
    """Return a ModelInferRequest with these input tensors, shaped [1, n]."""
    message = service_pb2.ModelInferRequest(model_name=model)
    for name, values in tensors.items():
        datatype = INPUTS[name][0]
        message.inputs.add(name=name, datatype=datatype, shape=(1, len(values)))
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
    )


def read_text(response: Any) -> str:
    """Return the `text_output` of a ModelInferResponse; "" when it has none."""
    return _string(_values(response).get("text_output", b""))


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
        "exclude_input_in_output": (True,),
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
    }
    tensors.update((name, (value,)) for name, value in optional.items() if value is not None)
    if request.stop:
        tensors["stop_words"] = request.stop
    return tensors


def _prompt_tensor(prompt: Prompt) -> TensorValues:
    if isinstance(prompt, TextPrompt):
        return {"text_input": (prompt.text,)}
    if isinstance(prompt, ChatPrompt):
        return {"messages": (orjson.dumps([_as_json(m) for m in prompt.messages]),)}
    return {"input_ids": prompt.ids}


def _as_json(message: ChatMessage) -> dict[str, str]:
    named = {} if message.name is None else {"name": message.name}
    return {"role": message.role, "content": message.content, **named}


def _packed(datatype: str, values: Sequence[Value]) -> bytes:
    if datatype == "BYTES":
        return b"".join(_packed_string(value) for value in values)
    return struct.pack(f"<{len(values)}{_FORMAT[datatype]}", *values)


def _packed_string(value: Value) -> bytes:
    encoded = value if isinstance(value, bytes) else str(value).encode()
    return struct.pack("<I", len(encoded)) + encoded
