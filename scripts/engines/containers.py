"""NVIDIA's images by TensorRT-LLM version: an engine is built in the image that serves it.

Source: triton-inference-server/server, docs/introduction/compatibility.md (2026-08).
"""

from dataclasses import dataclass
from typing import Final

from scripts.adding.errors import AddingError
from triton_backend.llm.engines.tensorrt_llm_check import version_numbers

DEFAULT_VERSION: Final = "1.2.1"
# The first version line without trtllm-build (removed after 1.3.0rc20).
_FIRST_WITHOUT_ENGINES: Final = (1, 3)


@dataclass(frozen=True, slots=True)
class Image:
    """A container; `driver` is the oldest NVIDIA driver it takes."""

    name: str
    tensorrt_llm: str
    tensorrt: str
    driver: str

    @property
    def has_engines(self) -> bool:
        """Whether it compiles engines, or runs checkpoints only."""
        return version_numbers(self.tensorrt_llm)[:2] < _FIRST_WITHOUT_ENGINES


_TRITON: Final = "nvcr.io/nvidia/tritonserver:{}-trtllm-python-py3"
_IMAGES: Final = (
    Image(_TRITON.format("26.07"), "1.2.1", "10.14.1.48", "590.44"),
    Image(_TRITON.format("26.03"), "1.2.0", "10.14.1.48", "590.44"),
    Image(_TRITON.format("26.02"), "1.1.0", "10.13.3.9", "580.95"),
    Image(_TRITON.format("25.10"), "1.0.0", "10.11.0.33", "575.57"),
)


def image_of(version: str) -> Image:
    """The image that holds a version of TensorRT-LLM; BuildError where none is known."""
    for image in _IMAGES:
        if image.tensorrt_llm == version:
            return image
    if version_numbers(version)[:2] >= _FIRST_WITHOUT_ENGINES:
        # Without Triton in it: to which Triton image these versions belong is not published.
        return Image(f"nvcr.io/nvidia/tensorrt-llm/release:{version}", version, "none", "590.44")
    known = ", ".join(image.tensorrt_llm for image in _IMAGES)
    raise AddingError(
        f"No image is known for TensorRT-LLM {version}: name {known}, or 1.3 or later.", 2
    )
