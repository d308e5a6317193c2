"""A stand-in for the package `tensorrt_llm` that refuses whatever tests/facts does not name.

`written_to` makes a package of it on disk, with a version, for sys.path. Its behaviour is that of
the facts: results grow and shrink, parameters are changed by use, all is asked on one loop, and a
dead worker says nothing. Its tokens follow from the prompt and, unless greedy, the seed.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.tensorrt_llm_facts import names
from tests.tensorrt_llm_worker import Request, Worker

VOCAB_SIZE = 512
_INTERNAL_ARGUMENTS = frozenset({"_mpi_session", "executor_cls"})


def refuse_unknown(given: dict[str, Any], known: frozenset[str], owner: str) -> None:
    """Raise as the library's classes do, whose models forbid or have no such name."""
    if unknown := sorted(given.keys() - known):
        raise ValueError(f"{owner} got invalid argument: {unknown[0]}")


class RequestError(RuntimeError):
    """One request failed; the engine lives."""


class SamplingParams:
    """Holds only named fields, and may be used once: the library changes it."""

    def __init__(self, **fields: Any) -> None:
        known = names("SamplingParams", "params", "private_but_settable")
        if unknown := sorted(fields.keys() - known):
            raise TypeError(f"unexpected keyword argument {unknown[0]!r}")
        self.fields = {"max_tokens": 32, "seed": None} | fields
        self.is_used = False
        if fields.get("top_p", 1) <= 0 or fields.get("top_p", 1) > 1:
            raise ValueError("require 0 < top_p <= 1")
        if fields.get("temperature", 0) < 0 or fields.get("top_k", 0) < 0:
            raise ValueError("require temperature and top_k >= 0")

    def __getitem__(self, name: str) -> Any:
        return self.fields.get(name)

    @property
    def is_greedy(self) -> bool:
        """The library's own rule."""
        chosen = [self[name] for name in ("temperature", "top_p", "top_k")]
        return chosen == [None] * 3 or self["top_k"] == 1 or self["temperature"] == 0


class GuidedDecodingParams:
    """Exactly one guide."""

    def __init__(self, **guides: Any) -> None:
        refuse_unknown(guides, names("GuidedDecodingParams", "params"), "GuidedDecodingParams")
        if len(guides) != 1:
            raise ValueError("Only one guide can be used")
        self.guides = guides


class LoRARequest:
    """An adapter that must exist."""

    def __init__(self, lora_name: str, lora_int_id: int, lora_path: str = "") -> None:
        if not Path(lora_path).exists():
            raise ValueError(f"lora_path ({lora_path}) does not exist.")
        self.lora_name, self.lora_int_id = lora_name, lora_int_id


class RequestOutput:
    """One growing result: every step yields itself."""

    __slots__ = ("_done", "_request", "_steps", "cached_tokens", "finished", "outputs")

    def __init__(self, request: Request, steps: "asyncio.Queue[Any]", cached_tokens: int) -> None:
        output = SimpleNamespace(token_ids=[], logprobs=[], finish_reason=None, stop_reason=None)
        self.outputs = [output]
        self.finished = False
        self.cached_tokens = cached_tokens
        self._request = request
        self._steps = steps
        self._done = False

    def __aiter__(self) -> "RequestOutput":
        return self

    async def __anext__(self) -> "RequestOutput":
        if self._done:
            raise StopAsyncIteration
        step = await self._steps.get()
        if isinstance(step, Exception):
            raise step
        output = self.outputs[0]
        output.token_ids[:], output.logprobs = step.ids, step.log_probs
        if step.finish is not None:
            output.finish_reason, self.finished, self._done = step.finish, True, True
        return self

    async def aresult(self) -> "RequestOutput":
        """Wait for the end."""
        async for _ in self:
            pass
        return self

    def abort(self) -> None:
        """Have the worker end it; the iteration goes on to its end."""
        self._request.refuse_other_thread()
        self._request.is_aborted = True


class _LLM:
    """What both LLM classes have in common; `worker` is the test's hand on the other side."""

    known: frozenset[str]
    is_engine: bool
    opened: "list[_LLM]" = []  # noqa: RUF012 - shared on purpose: the tests find it here

    def __init__(self, model: str, **arguments: Any) -> None:
        refuse_unknown(arguments, self.known | _INTERNAL_ARGUMENTS, type(self).__name__)
        refuse_unknown(
            arguments["kv_cache_config"], names("KvCacheConfig", "params"), "KvCacheConfig"
        )
        if "PYTHONHOME" in os.environ:
            raise RuntimeError("Executor worker died during initialization")
        if not Path(model, "config.json").is_file():
            raise ValueError(f"Inferred model format of {model}: config.json is missing")
        self.arguments = arguments
        self._gathers_logits = bool(arguments.get("gather_generation_logits"))
        self.tokenizer = None if arguments["skip_tokenizer_init"] else object()
        self.worker = Worker(arguments["max_batch_size"], emits_end=not self.is_engine)
        self._executor = SimpleNamespace(mpi_futures=[self.worker.process])
        self._seen: dict[tuple[int, ...], int] = {}
        _LLM.opened.append(self)

    def generate_async(
        self,
        *,
        inputs: list[int],
        sampling_params: SamplingParams,
        lora_request: LoRARequest | None = None,
        streaming: bool = False,
    ) -> RequestOutput:
        """Check as the library does, and hand over to the worker."""
        if self.worker.is_shut_down:
            raise RuntimeError("LLM is shutting down")
        if self.worker.hangs_at_submission is not None:
            self.worker.hangs_at_submission.wait()  # as when one of several workers has died
        if (error := self.worker.error_for_next) is not None:
            raise error
        self._check(inputs, sampling_params, lora_request)
        sampling_params.is_used = True
        steps: asyncio.Queue[Any] = asyncio.Queue()
        request = self._request(inputs, sampling_params, steps)
        self.worker.add(request)
        cached = 0 if self.is_engine else self._seen.get(tuple(inputs), 0)
        self._seen[tuple(inputs)] = len(inputs)
        return RequestOutput(request, steps, cached)

    def _check(
        self, inputs: list[int], params: SamplingParams, lora_request: LoRARequest | None
    ) -> None:
        assert inputs
        assert all(type(one) is int for one in inputs)
        if params.is_used:
            raise AssertionError("SamplingParams is changed by use: one for each request")
        if params["end_id"] is None:
            raise ValueError("tokenizer is required to reset end_id if it is None")
        if params["stop"] or params["bad"] or params["n"] not in (None, 1):
            raise RuntimeError("stop is not processed by tokenizer")
        if params["logprobs"] and self.is_engine and not self._gathers_logits:
            raise ValueError("logprobs need LLM(gather_generation_logits=True)")
        if params["guided_decoding"] is not None and self.tokenizer is None:
            raise ValueError("guided decoding needs a tokenizer")
        if params["embedding_bias"] is not None and len(params["embedding_bias"]) != VOCAB_SIZE:
            raise ValueError("embedding_bias must have vocab_size elements")
        if lora_request is not None and not self.arguments.get("enable_lora", self.is_engine):
            raise ValueError("LoRA is not enabled")

    def _request(
        self, inputs: list[int], params: SamplingParams, steps: "asyncio.Queue[Any]"
    ) -> Request:
        seed = 0 if params.is_greedy else (params["seed"] or 0)
        ignores_end = params["ignore_eos"]
        loop = asyncio.get_running_loop()  # outside a loop the library would hand out a queue

        def put(step: Any) -> None:
            loop.call_soon_threadsafe(steps.put_nowait, step)

        return Request(
            put=put,
            tokens=random.Random(f"{inputs}{seed}{params.is_greedy}"),
            num_prompt=len(inputs),
            max_tokens=params["max_tokens"],
            min_tokens=params["min_tokens"] or 1,
            end_id=None if ignores_end else params["end_id"],
            stop_token_ids=frozenset(params["stop_token_ids"] or ()),
            log_probs=_log_probs_of(params, has_tops=self.is_engine),
        )

    def get_stats_async(self, timeout: float | None = 2) -> AsyncIterator[dict[str, Any]]:
        """Iteration statistics, ending after silence; nothing before the first request."""
        return self.worker.stats(timeout or 0)

    def shutdown(self) -> None:
        """Blocks until the worker has ended."""
        self.worker.shut_down()


def _log_probs_of(params: SamplingParams, *, has_tops: bool) -> Callable[[int, float], Any] | None:
    num_top = (params["logprobs"] or 0) if has_tops else 0
    if num_top:
        return lambda token_id, value: _table(token_id, value, num_top)
    if params["logprobs"]:  # the C++ sampler of the PyTorch flow tells of the chosen token only
        return lambda token_id, value: {token_id: SimpleNamespace(logprob=value, rank=1)}
    return (lambda _, value: value) if params["_return_log_probs"] else None


def _table(token_id: int, value: float, num_top: int) -> dict[int, SimpleNamespace]:
    """The likeliest tokens and the chosen one, which is not among them when it is odd."""
    is_among = token_id % 2 == 0
    others = [one for one in range(num_top + 1) if one != token_id][: num_top - is_among]
    best = value - 1 if is_among else value + 0.01
    found = {one: SimpleNamespace(logprob=best - one / 10_000, rank=None) for one in others}
    return found | {token_id: SimpleNamespace(logprob=value, rank=None)}


class EngineLLM(_LLM):
    """tensorrt_llm._tensorrt_engine.LLM."""

    is_engine = True
    known = names("TrtLlmArgs", "params")


class CheckpointLLM(_LLM):
    """tensorrt_llm.LLM."""

    is_engine = False
    known = names("TorchLlmArgs", "params_1_2rc", "params_added_until_1_3rc") | {"telemetry_config"}


class TorchLlmArgs:
    """Of it only the names of its fields are read."""

    model_fields = dict.fromkeys(CheckpointLLM.known)


_MODULES = {
    "__init__.py": "LLM CheckpointLLM; SamplingParams SamplingParams",
    "_tensorrt_engine/__init__.py": "LLM EngineLLM",
    "llmapi/__init__.py": "GuidedDecodingParams GuidedDecodingParams",
    "llmapi/llm_args.py": "TorchLlmArgs TorchLlmArgs",
    "executor/__init__.py": "LoRARequest LoRARequest",
    "executor/utils.py": "RequestError RequestError",
}


def written_to(folder: Path, version: str) -> Path:
    """Make the package in a folder; from 1.3 on without compiled engines, like the real one."""
    for path, classes in _MODULES.items():
        if "_tensorrt_engine" in path and not version.startswith(("0.", "1.0", "1.1", "1.2")):
            continue
        module = folder / "tensorrt_llm" / path
        module.parent.mkdir(parents=True, exist_ok=True)
        pairs = [pair.split() for pair in classes.split("; ")]
        lines = [
            f"from tests.tensorrt_llm_double import {here} as {there}\n" for there, here in pairs
        ]
        module.write_text("".join(lines), encoding="utf-8")
    metadata = folder / f"tensorrt_llm-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Name: tensorrt_llm\nVersion: {version}\n", encoding="utf-8")
    return folder
