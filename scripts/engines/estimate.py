"""How long a build takes, roughly: nothing here has been measured on a GPU yet (docs/engines.md).

The calibration's part is arithmetic over a third of what an A100 can do; the compiler's is the
order of what people report for it.
"""

from typing import Final

from scripts.engines.choices import Choice
from scripts.engines.formats import FORMATS
from scripts.engines.source_model import SourceModel

_DISK_BYTES_PER_S: Final = 500e6
# quantize.py's own defaults.
_CALIBRATION_TOKENS: Final = 512 * 512
_FLOPS: Final = 100e12
_COMPILE_S: Final = 60
_COMPILE_S_PER_BILLION: Final = 20


def build_seconds(source: SourceModel, choice: Choice) -> int:
    """Seconds from the weights to the finished model."""
    seconds = 2 * source.facts.num_bytes / _DISK_BYTES_PER_S
    if not source.quantized_as and FORMATS[choice.shape.weights].is_calibrated:
        seconds += 2 * source.facts.num_parameters * _CALIBRATION_TOKENS / _FLOPS
    if choice.is_engine:
        ranks = choice.shape.tensor_parallel * choice.shape.pipeline_parallel
        seconds += _COMPILE_S + _COMPILE_S_PER_BILLION * source.facts.num_parameters / 1e9 / ranks
    return round(seconds)
