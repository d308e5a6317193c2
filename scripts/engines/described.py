"""A build plan in words."""

from collections.abc import Sequence

from scripts.engines.choices import Choice
from scripts.engines.commands import Command
from scripts.engines.containers import Image
from scripts.engines.estimate import build_seconds
from scripts.engines.gpu_choice import GpuChoice
from scripts.engines.memory import GIB
from scripts.engines.source_model import SourceModel


def described(
    source: SourceModel, gpu: GpuChoice, image: Image, choice: Choice, commands: Sequence[Command]
) -> str:
    """The whole plan; sizes in GiB, time in minutes."""
    steps = [f"  $ {command}" for command in commands] or ["  (the weights are taken as they are)"]
    return "\n".join(
        [
            *_what(source, gpu, image, choice),
            *_memory(gpu, choice),
            *_cost(source, choice),
            "Commands (MODEL is made for them):",
            *steps,
        ]
    )


def _what(source: SourceModel, gpu: GpuChoice, image: Image, choice: Choice) -> list[str]:
    shape, facts = choice.shape, source.facts
    kind = "compiled engine" if choice.is_engine else "checkpoint for the PyTorch flow"
    cache = shape.kv_cache or "16 bits"
    return [
        f"Model:    {source.folder.name}, {facts.architecture}, "
        f"{facts.num_parameters / 1e9:.2f} B weights, {facts.num_bytes / GIB:.1f} GiB",
        f"GPU:      {gpu.name}, SM {gpu.profile.sm}, {gpu.total_bytes / GIB:.1f} GiB, "
        f"{shape.tensor_parallel} x {shape.pipeline_parallel} (tensor x pipeline parallel)",
        f"Result:   {kind} for TensorRT-LLM {image.tensorrt_llm}, weights {shape.weights}, "
        f"KV cache {cache}",
        f"Image:    {image.name} (NVIDIA driver {image.driver} or later)",
        f"Limits:   {shape.context_length} tokens a sequence, {shape.max_batch_size} sequences, "
        f"{shape.max_num_tokens} tokens a step; profile: {gpu.profile.source}",
    ]


def _memory(gpu: GpuChoice, choice: Choice) -> list[str]:
    memory, length = choice.memory, choice.shape.context_length
    return [
        f"Memory:   on each GPU {memory.weights_bytes / GIB:.1f} GiB weights + "
        f"{memory.activations_bytes / GIB:.1f} activations + {memory.libraries_bytes / GIB:.1f} "
        f"libraries; {memory.cache_bytes / GIB:.1f} of {gpu.total_bytes / GIB:.1f} GiB for the "
        f"KV cache at {memory.bytes_per_token / 1024:.0f} KiB a token",
        f"Fits:     {memory.cache_tokens} tokens at once, which is "
        f"{memory.cache_tokens / length:.1f} sequences of {length}",
    ]


def _cost(source: SourceModel, choice: Choice) -> list[str]:
    minutes = max(1, round(build_seconds(source, choice) / 60))
    host = source.facts.num_bytes * 1.2 / GIB
    return [f"Takes:    about {minutes} min (a rough estimate) and {host:.0f} GiB of host memory"]
