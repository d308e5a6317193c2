"""Step 2: through Triton's gRPC, read as protocol buffers by a client without numpy."""

import asyncio
import struct
import time
from collections.abc import Sequence
from typing import Any

import grpc.aio
from tritonclient.grpc import service_pb2, service_pb2_grpc

from scripts.benchmark.figures import StreamTimes
from scripts.benchmark.load import Load

RUN_LIMIT_S = 300.0
_OUTPUTS = ("text_output", "num_output_tokens")


async def run_grpc(address: str, load: Load) -> Sequence[StreamTimes]:
    """Return the arrivals of every stream; raises RuntimeError with Triton's own words."""
    options = [("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        async with asyncio.timeout(RUN_LIMIT_S):
            return await asyncio.gather(
                *(_read(stub, _request(load, prompt)) for prompt in load.prompts())
            )


async def _read(stub: Any, request: Any) -> StreamTimes:
    times = StreamTimes(time.monotonic())
    call = stub.ModelStreamInfer()
    await call.write(request)
    await call.done_writing()
    async for response in call:
        if response.error_message:
            raise RuntimeError(response.error_message)
        if num_tokens := _num_tokens(response.infer_response):
            times.add(time.monotonic(), num_tokens)
    return times


def _num_tokens(response: Any) -> int:
    for tensor, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        if tensor.name == "num_output_tokens":
            return int.from_bytes(raw, "little")
    return 0


def _request(load: Load, prompt: str) -> Any:
    text = prompt.encode()
    message = service_pb2.ModelInferRequest(model_name=load.model)
    for name, datatype, raw in (
        ("text_input", "BYTES", struct.pack("<I", len(text)) + text),
        ("max_tokens", "INT32", struct.pack("<i", load.tokens)),
        ("min_tokens", "INT32", struct.pack("<i", load.tokens)),
        ("ignore_eos", "BOOL", b"\x01"),
        ("stream", "BOOL", b"\x01"),
    ):
        message.inputs.add(name=name, datatype=datatype, shape=(1, 1))
        message.raw_input_contents.append(raw)
    for name in _OUTPUTS:
        message.outputs.add(name=name)
    return message
