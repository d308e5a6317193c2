"""What a model says about itself: the tensors it declares, and its answer to `describe`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from tritonclient.grpc import service_pb2

from frontend_api.adapters.triton_channel import InferStream, TritonChannel
from frontend_api.adapters.triton_errors import failure, translated
from frontend_api.adapters.triton_signature import Signature, signature_of
from frontend_api.adapters.triton_wire import describe_request, read_text
from frontend_api.domain.errors import EngineFailed
from frontend_api.domain.model import ServedModel


@dataclass(frozen=True, slots=True)
class ProcessId:
    """The process a model runs in; `namespace` says in which numbering of which boot."""

    namespace: str
    pid: int


@dataclass(frozen=True, slots=True)
class Description:
    """A model that has just answered."""

    served: ServedModel
    process: ProcessId | None
    version: str


async def read_signature(channel: TritonChannel, name: str, timeout_s: float) -> Signature:
    """Return the inputs and outputs in the model's configuration.

    Raises NotServable for a model that cannot answer a request of ours.
    """
    with translated():
        answer = await channel.stub.ModelConfig(
            service_pb2.ModelConfigRequest(name=name), timeout=timeout_s
        )
    config = answer.config
    return signature_of(
        [tensor.name for tensor in config.input],
        [tensor.name for tensor in config.output],
        is_batched=config.max_batch_size > 0,
        is_decoupled=config.model_transaction_policy.decoupled,
    )


async def describe(stream: InferStream, name: str, signature: Signature) -> Description:
    """Ask the model's own process what it is, on a fresh stream; the caller limits the time.

    Raises a ServiceError when it does not answer: BackendLost if Triton knows it dead.
    """
    text = ""
    await stream.send(describe_request(name))
    while (response := await stream.read()) is not None:
        if response.error_message:
            raise failure(response.error_message)
        text = read_text(response.infer_response) or text
    return _description(name, text, signature)


def _description(name: str, text: str, signature: Signature) -> Description:
    try:
        engine = orjson.loads(text)
        served = ServedModel(
            name=name,
            created=int(engine["created"]),
            engine=str(engine["engine"]),
            quantization=str(engine["quantization"]),
            context_length=int(engine["context_length"]),
            capabilities=frozenset(map(str, engine["capabilities"])),
            inputs=signature.inputs,
            tool_format=_optional_text(engine.get("tool_format")),
            reasoning_format=_optional_text(engine.get("reasoning_format")),
            opens_thinking=tuple(engine.get("opens_thinking", ())),
            max_sequences=_optional_count(engine.get("max_sequences")),
            num_running=_optional_count(engine.get("num_running")) or 0,
            idle_s=_optional_seconds(engine.get("idle_s")),
            load_s=_optional_seconds(engine.get("load_s")),
            memory_bytes=_optional_count(engine.get("memory_bytes")),
            lora_names=tuple(map(str, engine.get("lora_names", ()))),
        )
        return Description(served, _process(engine.get("process")), str(engine.get("version", "")))
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise EngineFailed("it describes itself in a way this server does not know") from exc


def _optional_text(value: object) -> str | None:
    return None if value is None else str(value)


def _optional_count(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _optional_seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _process(value: Mapping[str, Any] | None) -> ProcessId | None:
    return None if value is None else ProcessId(str(value["namespace"]), int(value["pid"]))
