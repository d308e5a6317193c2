"""Weight formats, and which families of models TensorRT-LLM runs in which of them.

Sources (NVIDIA/TensorRT-LLM, commits in tests/facts): [P] precision.md, the table of the engine
flow; [Q] quantization.md, the table of the PyTorch flow; bytes per weight include the scales.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """How weights are kept. qformat: its name for quantize.py, modelopt for ModelOpt's script."""

    name: str
    bytes_per_weight: float
    qformat: str
    modelopt: str | None
    is_calibrated: bool


@dataclass(frozen=True, slots=True)
class Family:
    """What one architecture of Hugging Face can be built as, besides bf16.

    engine, checkpoint: formats of the two flows; None where the flow does not know the model.
    """

    name: str
    engine: tuple[str, ...] | None
    checkpoint: tuple[str, ...] | None
    has_fused_reduction: bool = False  # PluginConfig.reduce_fusion: Llama and Mistral with TP


FORMATS: Final[Mapping[str, WeightFormat]] = {
    one.name: one
    for one in (
        WeightFormat("bf16", 2.0, "full_prec", None, is_calibrated=False),
        WeightFormat("fp8", 1.0, "fp8", "fp8", is_calibrated=True),
        WeightFormat("nvfp4", 0.56, "nvfp4", "nvfp4", is_calibrated=True),
        WeightFormat("int8_sq", 1.0, "int8_sq", None, is_calibrated=True),
        WeightFormat("int8_wo", 1.0, "int8_wo", None, is_calibrated=False),
        WeightFormat("int4_awq", 0.55, "int4_awq", "int4_awq", is_calibrated=True),
        WeightFormat("w4a8_awq", 0.55, "w4a8_awq", "w4a8_awq", is_calibrated=True),
        WeightFormat("int4_wo", 0.55, "int4_wo", None, is_calibrated=False),
    )
}

_LLAMA: Final = Family(
    "llama",
    engine=("fp8", "nvfp4", "int8_sq", "int8_wo", "int4_wo", "int4_awq"),
    checkpoint=("nvfp4", "fp8", "int4_awq"),
    has_fused_reduction=True,
)
_QWEN: Final = ("int8_sq", "int8_wo", "int4_wo", "int4_awq")
_GEMMA: Final = Family("gemma", ("fp8", "int8_sq", "int8_wo", "int4_wo", "int4_awq"), None)
FAMILIES: Final[Mapping[str, Family]] = {
    "LlamaForCausalLM": _LLAMA,
    "MistralForCausalLM": Family(
        "mistral",
        engine=("fp8", "int8_sq", "int8_wo", "int4_wo", "int4_awq"),
        checkpoint=("fp8", "int4_awq"),
        has_fused_reduction=True,
    ),
    "MixtralForCausalLM": Family(
        "mixtral", ("fp8", "nvfp4", "int8_wo", "int4_wo"), ("nvfp4", "fp8")
    ),
    "GemmaForCausalLM": _GEMMA,
    "Gemma2ForCausalLM": _GEMMA,
    "Gemma3ForCausalLM": Family("gemma 3", None, ("fp8", "w4a8_awq", "int4_awq")),
    "PhiForCausalLM": Family("phi", (), None),
    "Phi3ForCausalLM": Family("phi", (), ("w4a8_awq",)),
    "Qwen2ForCausalLM": Family("qwen 2", _QWEN, ("nvfp4", "fp8", "w4a8_awq", "int4_awq")),
    "Qwen3ForCausalLM": Family("qwen 3", _QWEN, ("nvfp4", "fp8", "int4_awq")),
    "Qwen3MoeForCausalLM": Family("qwen 3 moe", None, ("nvfp4", "fp8")),
}
