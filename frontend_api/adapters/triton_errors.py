"""Triton's failures as ours; applied to the call and to every read of the stream.

Two forms reach us. gRPC errors come when the connection or the server fails. In a
decoupled ModelStreamInfer a failed request is a response with `error_message`, a
text without a status code: our backend writes JSON there, Triton itself a sentence.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Final

import orjson
from grpc import StatusCode
from grpc.aio import AioRpcError

from frontend_api.adapters.triton_contract import FIELD_OF_TENSOR
from frontend_api.domain.errors import (
    BackendLost,
    BadRequest,
    ContextTooLong,
    EngineFailed,
    ModelNotReady,
    Overloaded,
    ServiceError,
    TimedOut,
    UnsupportedParameter,
)
from frontend_api.domain.generation import ChatPrompt, GenerationRequest

LOST_MESSAGE: Final = "The model is not reachable at the moment. Please try again shortly."
_BUSY_MESSAGE: Final = "The model has too many requests at the moment. Please try again shortly."
_FAILED_MESSAGE: Final = "The model failed to process the request."
_TIMEOUT_MESSAGE: Final = "The model took too long to answer."
_REFUSED_MESSAGE: Final = "The model refused the request."

# What Triton 2.51 says in `error_message`, read in its source and seen on the running server.
_SENTENCES: Final = (
    (re.compile(r"stub process .*(is not healthy|has exited)", re.I), BackendLost),
    (re.compile(r"unknown model|no available versions|not ready|unloading", re.I), ModelNotReady),
    (re.compile(r"exceeds maximum queue size|timeout expired", re.I), Overloaded),
)
_SENTENCE: Final = re.compile(
    r"TritonModelException: ([^\n/\\]+\.(?: Run `scripts/[^\n/\\`]+`\.)?)"  # and what mends it
)
# Triton itself refuses a model with `KIND_GPU` where it sees none, before the model can say so.
_NO_GPU: Final = re.compile(r"unsupported gpu id|no GPUs are available")
_STATUS: Final[Mapping[StatusCode, type[ServiceError]]] = {
    StatusCode.UNAVAILABLE: BackendLost,
    StatusCode.CANCELLED: BackendLost,
    StatusCode.DEADLINE_EXCEEDED: TimedOut,
    StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    StatusCode.NOT_FOUND: ModelNotReady,
    StatusCode.INVALID_ARGUMENT: BadRequest,
}
# A balancer whose server is gone ends the stream without a status, and gRPC makes one up.
_CUT_OFF: Final = re.compile(r"stream removed|rst_stream|internal error from core", re.I)
_MESSAGE: Final[Mapping[type[ServiceError], str]] = {
    BackendLost: LOST_MESSAGE,
    ModelNotReady: LOST_MESSAGE,
    Overloaded: _BUSY_MESSAGE,
    TimedOut: _TIMEOUT_MESSAGE,
    BadRequest: _REFUSED_MESSAGE,
    EngineFailed: _FAILED_MESSAGE,
}


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn gRPC failures into our errors."""
    try:
        yield
    except AioRpcError as exc:
        raise from_grpc(exc) from exc


def from_grpc(error: AioRpcError) -> ServiceError:
    """Return the error that a failed call stands for."""
    kind = _STATUS.get(error.code(), EngineFailed)
    if kind is EngineFailed and _CUT_OFF.search(error.details() or ""):
        kind = BackendLost
    return kind(_MESSAGE[kind], detail=f"{error.code().name}: {error.details()}")


def failure(text: str, request: GenerationRequest | None = None) -> ServiceError:
    """Return the error that an `error_message` stands for, in the words of this request."""
    refusal = _as_refusal(text)
    if refusal is not None:
        return _from_backend(refusal, request)
    kinds = (kind for pattern, kind in _SENTENCES if pattern.search(text))
    kind = next(kinds, EngineFailed)
    return kind(_MESSAGE[kind], detail=text)


def own_sentence(report: str) -> str:
    """Return a model's own sentence inside the report that Triton makes of it; "" without one."""
    # The rest of a report holds paths and traces; the log has it.
    found = _SENTENCE.search(report)
    if found is None:
        return "Triton sees no NVIDIA GPU that it could use" if _NO_GPU.search(report) else ""
    return found[1]


def _as_refusal(text: str) -> Mapping[str, object] | None:
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) and isinstance(parsed.get("code"), str) else None


def _from_backend(refusal: Mapping[str, object], request: GenerationRequest | None) -> ServiceError:
    code, message = str(refusal["code"]), str(refusal.get("message"))
    if code in ("overloaded", "unavailable"):
        return Overloaded(_BUSY_MESSAGE, detail=message)
    if code == "engine_failure":
        return EngineFailed(_FAILED_MESSAGE, detail=message)
    if code == "context_length_exceeded":
        return _context_too_long(refusal, request)
    kind = UnsupportedParameter if code == "unsupported_parameter" else BadRequest
    return kind(message, param=_field(refusal, request), code=code)


def _field(refusal: Mapping[str, object], request: GenerationRequest | None) -> str | None:
    tensor = refusal.get("param")
    if not isinstance(tensor, str):
        return None
    field = FIELD_OF_TENSOR.get(tensor, tensor)
    return field if request is None else request.client_name(field)


def _context_too_long(
    refusal: Mapping[str, object], request: GenerationRequest | None
) -> ContextTooLong:
    """Return OpenAI's sentence; programs search for its beginning."""
    is_chat = request is not None and isinstance(request.prompt, ChatPrompt)
    what = "messages" if is_chat else "prompt"
    counts = {name: refusal.get(name) for name in ("context_length", "prompt_tokens", "max_tokens")}
    limit, prompt, answer = (v if isinstance(v, int) else 0 for v in counts.values())
    if not limit:
        return ContextTooLong(str(refusal.get("message")), param=what)
    sentence = f"This model's maximum context length is {limit} tokens. However, "
    if answer and prompt < limit:
        sentence += (
            f"you requested {prompt + answer} tokens ({prompt} in the {what}, {answer} in the "
            f"completion). Please reduce the length of the {what} or completion."
        )
    else:
        sentence += (
            f"your {what} resulted in {prompt} tokens. Please reduce the length of the {what}."
        )
    return ContextTooLong(sentence, param=what, extra={"n_prompt_tokens": prompt, "n_ctx": limit})
