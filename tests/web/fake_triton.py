"""A gRPC server on loopback that speaks as much of Triton's protocol as the adapter uses."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import repeat
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from frontend_api.adapters.triton_contract import INPUTS, OUTPUTS

DESCRIPTION = {
    "engine": "fake",
    "capabilities": ["n", "seed"],
    "context_length": 128,
    "quantization": "none",
    "created": 1_700_000_000,
    "version": "1",
}
Tensors = dict[str, bytes]


def text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<I", len(encoded)) + encoded


def integer(value: int) -> bytes:
    return struct.pack("<i", value)


def delta(value: str, *, index: int = 0, reason: str | None = None) -> Tensors:
    tensors = {
        "text_output": text(value),
        "num_output_tokens": integer(1),
        "sequence_index": integer(index),
    }
    return tensors if reason is None else {**tensors, "finish_reason": text(reason)}


def accepted(num_tokens: int) -> Tensors:
    return {"num_input_tokens": integer(num_tokens)}


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """One model; every field may be changed while it runs."""

    def __init__(self, answers: Iterable[Tensors | str | asyncio.Event] = ()) -> None:
        self.states = {"demo": "READY"}
        self.reasons: dict[str, str] = {}
        self.inputs = frozenset(INPUTS)
        self.outputs = frozenset(OUTPUTS)
        self.is_decoupled = True
        self.max_batch_size = 1
        # Tensors are sent, a string is an error_message, an event is waited for.
        self.answers = list(answers)
        self.describe_error = ""
        # Several Tritons behind one address: who describes, who generates, who is dead.
        self.describers: Iterator[str] = repeat("")
        self.generators: Iterator[str] = repeat("")
        self.dead: set[str] = set()
        self.description: dict[str, object] = dict(DESCRIPTION)
        self.requests: list[Any] = []
        self.metadata: list[dict[str, str]] = []
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = service_pb2.RepositoryIndexResponse()
        for name, state in self.states.items():
            reason = self.reasons.get(name, "")
            answer.models.add(name=name, version="1", state=state, reason=reason)
        return answer

    async def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = service_pb2.ModelConfigResponse()
        answer.config.name = request.name
        answer.config.max_batch_size = self.max_batch_size
        answer.config.model_transaction_policy.decoupled = self.is_decoupled
        for name in sorted(self.inputs):
            answer.config.input.add(name=name)
        for name in sorted(self.outputs):
            answer.config.output.add(name=name)
        return answer

    async def ModelStreamInfer(  # noqa: N802
        self, requests: AsyncIterator[Any], context: Any
    ) -> AsyncIterator[Any]:
        try:
            async for request in requests:
                is_probe = _is_describe(request)
                server = next(self.describers if is_probe else self.generators)
                if server:
                    await context.send_initial_metadata((("x-conch-server", server),))
                if is_probe or server in self.dead:
                    yield self._describe(is_dead=server in self.dead)
                    continue
                self.requests.append(request)
                self.metadata.append(dict(context.invocation_metadata()))
                self.started.set()
                async for answer in self._answer():
                    yield answer
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    def _describe(self, *, is_dead: bool) -> Any:
        error = "Stub process 'demo_0_0' is not healthy." if is_dead else self.describe_error
        if error:
            return service_pb2.ModelStreamInferResponse(error_message=error)
        return response({"text_output": text(json.dumps(self.description))})

    async def _answer(self) -> AsyncIterator[Any]:
        for step in self.answers:
            if isinstance(step, asyncio.Event):
                await step.wait()
            elif isinstance(step, str):
                yield service_pb2.ModelStreamInferResponse(error_message=step)
            else:
                yield response(step)

    def tensor(self, name: str) -> bytes | None:
        """Return the raw bytes of an input of the last request."""
        request = self.requests[-1]
        for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True):
            if tensor.name == name:
                return bytes(raw)
        return None


def _is_describe(request: Any) -> bool:
    pairs = zip(request.inputs, request.raw_input_contents, strict=True)
    return any(tensor.name == "task" and raw == text("describe") for tensor, raw in pairs)


def response(tensors: Tensors) -> Any:
    message = service_pb2.ModelStreamInferResponse()
    for name, raw in tensors.items():
        message.infer_response.outputs.add(name=name, datatype=OUTPUTS[name][0], shape=(1, 1))
        message.infer_response.raw_output_contents.append(raw)
    return message


@asynccontextmanager
async def listening(triton: FakeTriton, port: int = 0) -> AsyncIterator[int]:
    """Serve on loopback; yields the port. The end is abrupt, as of a killed process."""
    # Without it a second server could take the port while the first still holds it.
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(triton, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(grace=None)
