"""What TensorRT-LLM builds for which GPU, in one table.

Sources (NVIDIA/TensorRT-LLM, commits in tests/facts):
  [Q] docs/source/features/quantization.md, "Hardware Support Matrix"
  [S] docs/source/legacy/reference/support-matrix.md, precisions by SM
  [P] tensorrt_llm/plugin/plugin.py, validate()
  [T] docs/source/performance/tuning-max-batch-size-and-max-num-tokens.md: sweep powers of two;
      512 and 2048 were best for a 70 B model on four H100. The limits here are where to start.
  [F] one field report: NVFP4 in the engine flow gave wrong answers on SM 120 (0 of 50 right
      against 13 of 50 by the PyTorch flow)
`engine` and `checkpoint` are in order of preference; a family may know fewer (formats.py). Where
the first choice is 16 bits, it is taken when a third of the memory is left for the KV cache.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# Where 8-bit and 4-bit integers are listed for the engine flow on every architecture. [S]
_INTEGERS: Final = ("int8_wo", "int8_sq", "int4_wo")


@dataclass(frozen=True, slots=True)
class GpuProfile:
    """One architecture. `kv_cache`: by weight format its default, "" as the weights' 16 bits.

    kv_caches: all that may be asked for. plugins: flags of trtllm-build.
    """

    sm: int
    gpus: str
    engine: tuple[str, ...]
    checkpoint: tuple[str, ...]
    kv_cache: Mapping[str, str]
    kv_caches: tuple[str, ...]
    max_batch_size: int
    max_num_tokens: int
    max_seq_len: int
    plugins: Mapping[str, str]
    source: str


_PLUGINS: Final = {
    # Needed for KV reuse and chunked prefill; on by default, named so that nothing depends on it.
    "use_paged_context_fmha": "enable",
    # "Always enable": time between tokens 31 -> 20 ms in NVIDIA's study, for a longer build.
    "multiple_profiles": "enable",
}
_AMPERE: Final = _PLUGINS | {"use_fp8_context_fmha": "disable"}  # no FP8 units before SM 89
_ADA: Final = _PLUGINS | {"use_fp8_context_fmha": "enable"}
_INT8_CACHE: Final = {"int4_awq": "int8", "int4_wo": "int8", "int8_wo": "int8", "int8_sq": "int8"}
_FP8_CACHE: Final = {"fp8": "fp8", "nvfp4": "fp8", "w4a8_awq": "fp8"} | _INT8_CACHE

PROFILES: Final[Mapping[int, GpuProfile]] = {
    one.sm: one
    for one in (
        GpuProfile(
            80, "A100, A30",
            engine=("bf16", "int4_awq", *_INTEGERS), checkpoint=("bf16", "int4_awq"),
            kv_cache=_INT8_CACHE, kv_caches=("int8", "fp8"),
            max_batch_size=128, max_num_tokens=4096, max_seq_len=16384,
            plugins=_AMPERE, source="[Q] Ampere, [S], [T]; fp8 KV is listed, try it first",
        ),
        GpuProfile(
            86, "A10, A40, RTX 30xx",
            engine=("bf16", "int4_awq", *_INTEGERS), checkpoint=("bf16", "int4_awq"),
            kv_cache=_INT8_CACHE, kv_caches=("int8", "fp8"),
            max_batch_size=64, max_num_tokens=2048, max_seq_len=8192,
            plugins=_AMPERE, source="[Q] Ampere, [S], [T]",
        ),
        GpuProfile(
            89, "L4, L40S, RTX 40xx",
            engine=("fp8", "bf16", "int4_awq", "w4a8_awq", *_INTEGERS),
            checkpoint=("fp8", "bf16", "int4_awq", "w4a8_awq"),
            kv_cache=_FP8_CACHE, kv_caches=("fp8", "int8"),
            max_batch_size=64, max_num_tokens=2048, max_seq_len=8192,
            plugins=_ADA, source="[Q] Ada Lovelace, [S], [T]",
        ),
        GpuProfile(
            90, "H100, H200, GH200",
            engine=("fp8", "bf16", "int4_awq", "w4a8_awq", *_INTEGERS),
            checkpoint=("fp8", "bf16", "int4_awq", "w4a8_awq"),
            kv_cache=_FP8_CACHE, kv_caches=("fp8", "int8"),
            max_batch_size=256, max_num_tokens=8192, max_seq_len=32768,
            plugins=_ADA, source="[Q] Hopper, [S], [T]",
        ),
        GpuProfile(
            100, "B200, GB200",
            engine=("fp8", "bf16", "nvfp4", *_INTEGERS), checkpoint=("nvfp4", "fp8", "bf16"),
            kv_cache=_FP8_CACHE, kv_caches=("fp8", "int8"),
            max_batch_size=256, max_num_tokens=8192, max_seq_len=32768,
            plugins=_ADA, source="[Q] sm100, [S], [T]; [P] refuses gemm_swiglu and the like here",
        ),
        GpuProfile(
            103, "B300, GB300",
            engine=("fp8", "bf16", "nvfp4", *_INTEGERS), checkpoint=("nvfp4", "fp8", "bf16"),
            kv_cache=_FP8_CACHE, kv_caches=("fp8", "int8"),
            max_batch_size=256, max_num_tokens=8192, max_seq_len=32768,
            plugins=_ADA, source="as SM 100; [Q] and [P] do not name SM 103: nobody has shown it",
        ),
        GpuProfile(
            120, "RTX 50xx, RTX PRO 6000",
            engine=("fp8", "bf16", *_INTEGERS), checkpoint=("nvfp4", "fp8", "bf16"),
            kv_cache=_FP8_CACHE, kv_caches=("fp8", "int8"),
            max_batch_size=64, max_num_tokens=2048, max_seq_len=8192,
            plugins=_ADA, source="[Q] sm120, [S], [T]; no NVFP4 engines: [F]",
        ),
    )
}  # fmt: skip
