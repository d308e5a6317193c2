"""Whether a model fits a GPU, and how many tokens fit beside it, before anything is built.

How it works: each GPU holds its share of the weights, room for the activations of one step and
what the driver and the libraries take; the KV cache gets `CACHE_FRACTION` of the rest. The sizes
of weights and cache are exact, those of activations and libraries estimates on the safe side.
"""

from dataclasses import dataclass
from typing import Final

from scripts.engines.formats import FORMATS
from scripts.engines.source_model import SourceModel

GIB: Final = 2**30
CACHE_FRACTION: Final = 0.9  # KvCacheConfig.free_gpu_memory_fraction's own default
# CUDA context, TensorRT's and NCCL's work space.
_LIBRARIES_BYTES: Final = int(1.5 * GIB)
_HALF: Final = 2
_FLOAT: Final = 4
# Tensors of a layer that are alive at once, in 16 bits: residual, normed, attention's four and
# the two halves of the gated MLP.
_HIDDEN_TENSORS: Final = 6
_MLP_TENSORS: Final = 2
_CACHE_BYTES: Final = {"": 2, "fp8": 1, "int8": 1}


@dataclass(frozen=True, slots=True)
class Shape:
    """What is built: formats, the split over GPUs, and limits in tokens and sequences."""

    weights: str
    kv_cache: str
    tensor_parallel: int
    pipeline_parallel: int
    max_batch_size: int
    max_num_tokens: int
    context_length: int


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Bytes on each GPU; `cache_tokens` is what fits into the KV cache of all together."""

    total_bytes: int
    weights_bytes: int
    activations_bytes: int
    libraries_bytes: int
    bytes_per_token: int
    cache_bytes: int

    @property
    def cache_tokens(self) -> int:
        """Tokens of all running sequences together."""
        return max(0, self.cache_bytes) // self.bytes_per_token

    @property
    def cache_share(self) -> float:
        """Of the GPU's memory, what is left for the KV cache."""
        return max(0, self.cache_bytes) / self.total_bytes

    def needed_bytes(self, context_length: int) -> int:
        """What must be free on each GPU for one sequence of this length."""
        cache = int(self.bytes_per_token * context_length / CACHE_FRACTION)
        return self.weights_bytes + self.activations_bytes + self.libraries_bytes + cache


def plan_memory(source: SourceModel, shape: Shape, total_bytes: int) -> MemoryPlan:
    """The plan for GPUs that have this much memory each."""
    weights = weights_bytes(source, shape.weights) // (
        shape.tensor_parallel * shape.pipeline_parallel
    )
    activations = _activations_bytes(source, shape)
    rest = total_bytes - weights - activations - _LIBRARIES_BYTES
    return MemoryPlan(
        total_bytes=total_bytes,
        weights_bytes=weights,
        activations_bytes=activations,
        libraries_bytes=_LIBRARIES_BYTES,
        bytes_per_token=_bytes_per_token(source, shape),
        cache_bytes=int(rest * CACHE_FRACTION),
    )


def weights_bytes(source: SourceModel, weights: str) -> int:
    """All weights in this format; embedding and head stay in 16 bits."""
    quantized = source.facts.num_parameters - source.kept_weights
    return int(quantized * FORMATS[weights].bytes_per_weight + source.kept_weights * _HALF)


def _bytes_per_token(source: SourceModel, shape: Shape) -> int:
    """Keys and values of one token on one GPU; heads that are too few to split are copied."""
    layers = -(-source.layers // shape.pipeline_parallel)
    heads = max(1, source.kv_heads // shape.tensor_parallel)
    return 2 * layers * heads * source.head_dim * _CACHE_BYTES[shape.kv_cache]


def _activations_bytes(source: SourceModel, shape: Shape) -> int:
    mlp = source.intermediate_size // shape.tensor_parallel
    per_token = _HALF * (_HIDDEN_TENSORS * source.hidden_size + _MLP_TENSORS * mlp)
    logits = shape.max_batch_size * source.vocab_size * _FLOAT
    return shape.max_num_tokens * per_token + logits
