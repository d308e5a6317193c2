"""Which format, limits and split a model is built with: what is asked for, else what suits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from scripts.adding.errors import AddingError
from scripts.engines.formats import FAMILIES, Family
from scripts.engines.memory import GIB, MemoryPlan, Shape, plan_memory
from scripts.engines.profiles import GpuProfile
from scripts.engines.source_model import SourceModel

# ModelOpt's names of what a checkpoint is quantized as already.
_QUANTIZED_AS: Final = {
    "FP8": "fp8", "NVFP4": "nvfp4", "W4A16_AWQ": "int4_awq", "W4A8_AWQ": "w4a8_awq",
}  # fmt: skip
# With less for the KV cache, 16-bit weights are not worth their place.
_SHARE_FOR_CACHE: Final = 0.3
_SHORTEST_CONTEXT: Final = 1024


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asks for; None leaves the choice open."""

    weights: str | None = None
    kv_cache: str | None = None
    context_length: int | None = None
    max_batch_size: int | None = None
    max_num_tokens: int | None = None
    tensor_parallel: int = 1
    pipeline_parallel: int = 1


@dataclass(frozen=True, slots=True)
class Choice:
    """What is built, and how it fills the GPUs."""

    shape: Shape
    memory: MemoryPlan
    family: Family
    is_engine: bool


def choose(
    source: SourceModel, profile: GpuProfile, total_bytes: int, wishes: Wishes, *, is_engine: bool
) -> Choice:
    """The choice; AddingError says in one sentence why there is none."""
    family = _family(source, is_engine=is_engine)
    _check_split(source, wishes)
    candidates = _weights(source, profile, family, wishes, is_engine=is_engine)
    shapes = [_shape(source, profile, one, wishes, is_engine=is_engine) for one in candidates]
    plans = [_fitted(source, shape, total_bytes, wishes) for shape in shapes]
    chosen = _first_that_suits(plans, has_choice=len(plans) > 1)
    if chosen is None:
        raise AddingError(_too_big(source, shapes, total_bytes, wishes), 2)
    return Choice(*chosen, family, is_engine)


def _family(source: SourceModel, *, is_engine: bool) -> Family:
    name = source.facts.architecture
    family = FAMILIES.get(name)
    formats = family and (family.engine if is_engine else family.checkpoint)
    if family is None or formats is None:
        flow = "compiled engines" if is_engine else "checkpoints"
        known = ", ".join(
            one
            for one, f in FAMILIES.items()
            if (f.engine if is_engine else f.checkpoint) is not None
        )
        raise AddingError(f"{name} cannot be built as one of TensorRT-LLM's {flow}: {known}.", 2)
    return family


def _check_split(source: SourceModel, wishes: Wishes) -> None:
    if source.heads % wishes.tensor_parallel:
        raise AddingError(
            f"--tp {wishes.tensor_parallel} does not divide the {source.heads} attention heads.", 2
        )
    if wishes.pipeline_parallel > source.layers:
        raise AddingError(f"--pp may be at most the {source.layers} layers.", 2)


def _weights(
    source: SourceModel, profile: GpuProfile, family: Family, wishes: Wishes, *, is_engine: bool
) -> list[str]:
    """The formats to try in order of preference: the one asked for, or all that are possible."""
    known = ("bf16", *((family.engine if is_engine else family.checkpoint) or ()))
    allowed = [one for one in (profile.engine if is_engine else profile.checkpoint) if one in known]
    if source.quantized_as:
        return [_already(source, allowed, wishes, is_engine=is_engine)]
    if wishes.weights is None:
        return allowed
    if wishes.weights not in allowed:
        raise AddingError(
            f"{wishes.weights} is not supported for {family.name} on SM {profile.sm}: "
            f"{', '.join(allowed)}.",
            2,
        )
    return [wishes.weights]


def _already(
    source: SourceModel, allowed: Sequence[str], wishes: Wishes, *, is_engine: bool
) -> str:
    found = _QUANTIZED_AS.get(source.quantized_as)
    if is_engine or wishes.weights not in (None, found):
        raise AddingError(
            f"{source.folder.name} is quantized already ({source.quantized_as}): only TensorRT-LLM"
            " 1.3 or later can serve it, as it is.",
            2,
        )
    if found is None or found not in allowed:
        raise AddingError(f"A checkpoint in {source.quantized_as} does not run on this GPU.", 2)
    return found


def _shape(
    source: SourceModel, profile: GpuProfile, weights: str, wishes: Wishes, *, is_engine: bool
) -> Shape:
    longest = source.facts.context_length
    if wishes.context_length is not None and wishes.context_length > longest:
        raise AddingError(f"The model's context is {longest} tokens: --context can shorten it.", 2)
    return Shape(
        weights=weights,
        kv_cache=_kv_cache(source, profile, weights, wishes, is_engine=is_engine),
        tensor_parallel=wishes.tensor_parallel,
        pipeline_parallel=wishes.pipeline_parallel,
        max_batch_size=wishes.max_batch_size or profile.max_batch_size,
        max_num_tokens=wishes.max_num_tokens or profile.max_num_tokens,
        context_length=wishes.context_length or min(longest, profile.max_seq_len),
    )


def _kv_cache(
    source: SourceModel, profile: GpuProfile, weights: str, wishes: Wishes, *, is_engine: bool
) -> str:
    if not is_engine:
        # The checkpoint itself says it; unsaid, 16 bits are the safe assumption.
        if wishes.kv_cache is not None:
            raise AddingError("--kv-cache is for compiled engines: a checkpoint says its own.", 2)
        return "fp8" if source.cache_quantized_as == "FP8" else ""
    if wishes.kv_cache == "16bit":
        return ""
    if wishes.kv_cache is not None and wishes.kv_cache not in profile.kv_caches:
        known = ", ".join((*profile.kv_caches, "16bit"))
        raise AddingError(f"A KV cache in {wishes.kv_cache} is not built on this GPU: {known}.", 2)
    return wishes.kv_cache or profile.kv_cache.get(weights, "")


def _fitted(
    source: SourceModel, shape: Shape, total_bytes: int, wishes: Wishes
) -> tuple[Shape, MemoryPlan] | None:
    """The shape with a context that fits: shortened if none was asked for; None if none does."""
    memory = plan_memory(source, shape, total_bytes)
    while memory.cache_tokens < shape.context_length:
        shorter = shape.context_length // 2
        if wishes.context_length is not None or shorter < _SHORTEST_CONTEXT:
            return None
        shape = replace(shape, context_length=shorter)
    return shape, memory


def _first_that_suits(
    plans: Sequence[tuple[Shape, MemoryPlan] | None], *, has_choice: bool
) -> tuple[Shape, MemoryPlan] | None:
    fitting = [plan for plan in plans if plan is not None]
    for plan in fitting:
        if not has_choice or plan[0].weights != "bf16" or plan[1].cache_share >= _SHARE_FOR_CACHE:
            return plan
    return fitting[0] if fitting else None


def _too_big(source: SourceModel, shapes: Sequence[Shape], total_bytes: int, wishes: Wishes) -> str:
    """What the smallest of the shapes would need."""
    length = wishes.context_length or min(_SHORTEST_CONTEXT, source.facts.context_length)
    needs = {
        plan_memory(source, shape, total_bytes).needed_bytes(length): shape for shape in shapes
    }
    needed, shape = min(needs), needs[min(needs)]
    num = shape.tensor_parallel * shape.pipeline_parallel
    return (
        f"{source.folder.name} does not fit: in {shape.weights} it needs {needed / GIB:.1f} GiB on"
        f" {'the GPU' if num == 1 else f'each of {num} GPUs'} for one sequence of {length} tokens,"
        f" and there are {total_bytes / GIB:.1f}; try a smaller --quantization, a shorter"
        " --context, or more GPUs with --tp."
    )
