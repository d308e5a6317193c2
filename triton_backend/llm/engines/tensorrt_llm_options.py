"""What a TensorRT-LLM model is opened with: engine.json's options, the engine's own limits, and the
arguments of `LLM`.
"""

import json
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ..errors import LoadError
from ..manifest import ENGINE, EngineManifest, GpuBuild
from .options import read_options
from .tensorrt_llm_check import version_numbers

# Where a compiled engine lies in the version folder; a checkpoint is the folder itself.
ENGINE_FOLDER: Final = "engine"
ADAPTER_FOLDER: Final = "lora"
_GUIDES: Final = frozenset({"json", "json_schema", "regex", "ebnf_grammar"})
_ALWAYS: Final = frozenset(
    {"n", "seed", "top_k", "min_p", "min_tokens", "ignore_eos", "logit_bias"}
)
# TensorRT-LLM's own sampler has these; PyTorch's, the default of its flow, passes over them.
_PENALTIES: Final = frozenset({"repetition_penalty", "presence_penalty", "frequency_penalty"})
_OWN_SAMPLER: Final = "TRTLLMSampler"
# Before it, `logprobs=1` was the most likely token's, not the chosen one's.
_FIRST_CHOSEN_LOG_PROBS: Final = (1, 3)
_PYTORCH_ONLY: Final[Mapping[str, object]] = {
    "sampler_type": _OWN_SAMPLER,
    "enable_iter_perf_stats": True,
    # From 1.3 on it reports its use to NVIDIA; a server talks to nobody unasked.
    "telemetry_config": {"disabled": True},
}


@dataclass(frozen=True)
class TensorRtLlmOptions:
    """engine.json's options.

    kv_cache_tokens: tokens the KV cache holds, 0 as many as fit into kv_cache_fraction of what is
    free. silence_limit_s: with no token for any of the running sequences for so long, the engine
    counts as dead. single_process: no worker process, for one GPU; slower streams. top_log_probs:
    the likeliest tokens can be asked for; a compiled engine on one GPU then has no worker process.
    """

    max_batch_size: int = 64
    max_num_tokens: int = 8192
    kv_cache_fraction: float = 0.9
    kv_cache_tokens: int = 0
    chunked_prefill: bool = True
    guided_decoding: bool = True
    max_lora_rank: int = 64
    single_process: bool = False
    top_log_probs: bool = False
    silence_limit_s: float = 60.0
    load_limit_s: float = 1800.0


@dataclass(frozen=True)
class EngineSettings:
    """What the engine needs to know of its model; see GpuBuild and TensorRtLlmOptions.

    exit_grace_s: time for the last answers to reach their clients before a dead engine's process
    ends itself, by exit_process. shutdown_grace_s: time for workers to end beyond `close`.
    """

    capabilities: frozenset[str]
    kind: str
    max_running: int
    vocab_size: int
    adapters: Mapping[str, Path] = field(default_factory=dict)
    silence_limit_s: float = 60.0
    load_limit_s: float = 1800.0
    exit_grace_s: float = 5.0
    shutdown_grace_s: float = 20.0
    exit_process: Callable[[int], object] = os._exit


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What the engine's or checkpoint's own config.json says; vocab_size as the sampler pads it."""

    vocab_size: int
    has_lora: bool = False


def adapters_in(folder: Path) -> dict[str, Path]:
    """The LoRA adapters of a version folder by name."""
    return {
        path.name: path for path in sorted((folder / ADAPTER_FOLDER).glob("*")) if path.is_dir()
    }


def read_settings(
    folder: Path, manifest: EngineManifest, build: GpuBuild
) -> tuple[TensorRtLlmOptions, ModelShape]:
    """The options, lowered to the engine's limits, and its shape; LoadError when they disagree."""
    options = read_options(TensorRtLlmOptions, manifest.options)
    path = (
        folder / ENGINE_FOLDER / "config.json" if build.kind == ENGINE else folder / "config.json"
    )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if build.kind == ENGINE:
            return _engine_settings(config, options, manifest, build)
        _refuse_top_log_probs(options)
        return options, ModelShape(int(config["vocab_size"]), has_lora=bool(adapters_in(folder)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LoadError(
            f"{folder.parent.name}: {path.name} of its {build.kind} cannot be read."
        ) from error


def _refuse_top_log_probs(options: TensorRtLlmOptions) -> None:
    # The sampler this flow is opened with, for its penalties, tells of the chosen token only.
    if options.top_log_probs:
        raise LoadError("engine.json: the option top_log_probs is for compiled engines only.")


def _engine_settings(
    config: Any, options: TensorRtLlmOptions, manifest: EngineManifest, build: GpuBuild
) -> tuple[TensorRtLlmOptions, ModelShape]:
    built = config["build_config"]
    if manifest.context_length > int(built["max_seq_len"]):
        raise LoadError(
            f"engine.json: context_length is {manifest.context_length}, and the engine was built "
            f"for {built['max_seq_len']}."
        )
    # The runtime lowers larger values itself, after it has compared them with the wrong limits.
    options = replace(
        options,
        max_batch_size=min(options.max_batch_size, int(built["max_batch_size"])),
        max_num_tokens=min(options.max_num_tokens, int(built["max_num_tokens"])),
    )
    vocab_size, ranks = int(config["pretrained_config"]["vocab_size"]), build.tensor_parallel
    plugins = built.get("plugin_config") or {}
    return options, ModelShape(
        vocab_size=-(-vocab_size // ranks) * ranks, has_lora=bool(plugins.get("lora_plugin"))
    )


def capabilities(
    build: GpuBuild,
    options: TensorRtLlmOptions,
    shape: ModelShape,
    pytorch_arguments: Collection[str],
) -> frozenset[str]:
    """What this model can truly do."""
    found = set(_ALWAYS)
    if options.guided_decoding:
        found |= _GUIDES
    if shape.has_lora:
        found.add("lora")
    if build.kind == ENGINE:
        found |= {"top_log_probs"} if options.top_log_probs else set()
        return frozenset(found | _PENALTIES | {"log_probs"})
    if "sampler_type" in pytorch_arguments:
        found |= _PENALTIES
    if version_numbers(build.tensorrt_llm) >= _FIRST_CHOSEN_LOG_PROBS:
        found.add("log_probs")
    # Only this flow tells how much of a prompt it found in its cache.
    return frozenset(found | {"prefix_cache"})


def llm_arguments(
    folder: Path,
    manifest: EngineManifest,
    options: TensorRtLlmOptions,
    pytorch_arguments: Collection[str],
) -> dict[str, object]:
    """The keyword arguments of `LLM`; `pytorch_arguments` are those it knows, none for engines."""
    build = manifest.build
    assert build is not None  # noqa: S101 - checked before, by checked_build
    cache: dict[str, object] = {"free_gpu_memory_fraction": options.kv_cache_fraction}
    if options.kv_cache_tokens:
        cache["max_tokens"] = options.kv_cache_tokens
    arguments: dict[str, object] = {
        "model": str(folder / ENGINE_FOLDER if build.kind == ENGINE else folder),
        "tokenizer": str(folder) if options.guided_decoding else None,
        "skip_tokenizer_init": not options.guided_decoding,
        "tensor_parallel_size": build.tensor_parallel,
        "pipeline_parallel_size": build.pipeline_parallel,
        "kv_cache_config": cache,
        "enable_chunked_prefill": options.chunked_prefill,
        "max_batch_size": options.max_batch_size,
        "max_num_tokens": options.max_num_tokens,
    }
    if options.guided_decoding:
        arguments["guided_decoding_backend"] = "xgrammar"
    if options.top_log_probs:
        # The library makes the tables from all logits of each step.
        arguments["gather_generation_logits"] = True
    if build.kind != ENGINE:
        arguments["max_seq_len"] = manifest.context_length
        arguments |= {
            name: value for name, value in _PYTORCH_ONLY.items() if name in pytorch_arguments
        }
        arguments |= _lora_arguments(adapters_in(folder), options)
    return arguments


def _lora_arguments(adapters: Mapping[str, Path], options: TensorRtLlmOptions) -> dict[str, object]:
    if not adapters:
        return {}
    paths = [str(path) for path in adapters.values()]
    rank = options.max_lora_rank
    return {"enable_lora": True, "lora_config": {"lora_dir": paths, "max_lora_rank": rank}}
