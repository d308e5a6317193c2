"""What adding a model will take, told before it is done."""

import os
from dataclasses import dataclass
from typing import Final

from scripts.adding.inspection import Facts
from scripts.adding.sources import Source

_BYTES_PER_WEIGHT: Final = {"int8": 1.0, "int4": 0.56, "fp16": 2.0}
_KV_BYTES: Final = 4  # with `reproducible`, the default of the OpenVINO engine, the cache is f32
_GB: Final = 1e9
# Measured on 2 cores for 0.1 B parameters: 60 s of start, then 100 s for a billion of them.
_START_S: Final = 60
_S_PER_BILLION: Final = 100
_MIN_CACHE_GB: Final = 1
_CONTEXTS_IN_CACHE: Final = 4
_SEQUENCES_PER_CORE: Final = 4
_MAX_SEQUENCES: Final = 64
_MIN_SEQUENCES: Final = 8


@dataclass(frozen=True)
class Plan:
    """The choices for one model and what they cost; sizes in bytes.

    cache_gb, max_sequences: the engine's options, by this machine's memory and cores.
    compares: whether the source itself is run, for its answers; that needs its memory as well.
    """

    name: str
    quantization: str
    context_length: int
    model_bytes: int
    disk_bytes: int
    memory_bytes: int
    seconds: int
    cache_gb: int
    max_sequences: int
    compares: bool


def make_plan(
    source: Source, facts: Facts, name: str, quantization: str, *, context: int, compares: bool
) -> Plan:
    """Return what will be done, and an estimate of what it takes."""
    is_checkpoint = source.kind == "checkpoint"
    model = facts.num_bytes
    if is_checkpoint:
        model = int(facts.num_parameters * _BYTES_PER_WEIGHT[quantization])
    memory, in_32_bits = _memory_bytes(), facts.num_parameters * 4
    fits = in_32_bits < memory / 2
    cache = _cache_gb(facts, context, memory - model)
    billions = facts.num_parameters / _GB
    return Plan(
        name=name,
        quantization=quantization,
        context_length=context,
        model_bytes=model,
        # The export writes 16 bits first, then what is asked for.
        disk_bytes=model + (facts.num_parameters * 2 if is_checkpoint else 0),
        memory_bytes=model + int(cache * _GB),
        seconds=int(_START_S + _S_PER_BILLION * billions) if is_checkpoint else _START_S,
        cache_gb=cache,
        max_sequences=_max_sequences(),
        compares=compares and fits and is_checkpoint,
    )


def described(plan: Plan, source: Source, facts: Facts) -> str:
    """Return the plan as lines for a terminal."""
    per_token = facts.kv_values * _KV_BYTES
    tokens = int(plan.cache_gb * _GB / per_token) if per_token else 0
    lines = [
        f"Model          {plan.name}: {facts.architecture}, {facts.num_parameters / _GB:.2f} B"
        f" parameters, from {source.repository} at {source.revision}",
        f"Engine         OpenVINO, {plan.quantization} weights, {plan.model_bytes / _GB:.2f} GB",
        f"Context        {plan.context_length} tokens; end tokens"
        f" {', '.join(map(str, facts.eos_token_ids)) or 'none'};"
        f" {'its own' if facts.chat_template else 'no'} chat template",
        f"KV cache       {plan.cache_gb} GB: {tokens} tokens of all running requests together,"
        f" {plan.max_sequences} at once",
        f"Takes          about {max(plan.seconds // 60, 1)} min,"
        f" {plan.disk_bytes / _GB:.1f} GB of disk, {plan.memory_bytes / _GB:.1f} GB of memory to"
        " serve",
        f"Checked by     ten tokens{', and the answers of the source' if plan.compares else ''}",
    ]
    return "\n".join(lines)


def _cache_gb(facts: Facts, context: int, free_bytes: float) -> int:
    """Return room for four full contexts, but no more than a quarter of the memory."""
    wanted = facts.kv_values * _KV_BYTES * context * _CONTEXTS_IN_CACHE / _GB
    return max(_MIN_CACHE_GB, int(min(wanted + 1, free_bytes / 4 / _GB)))


def _max_sequences() -> int:
    cores = os.cpu_count() or 1
    return min(max(_SEQUENCES_PER_CORE * cores, _MIN_SEQUENCES), _MAX_SEQUENCES)


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
