"""What the target tensorrt-llm can be asked for on the command line."""

import argparse
from pathlib import Path

from scripts.engines.commands import EXAMPLES
from scripts.engines.containers import DEFAULT_VERSION
from scripts.engines.formats import FORMATS
from scripts.engines.gpu_choice import parse_sm
from scripts.engines.profiles import PROFILES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this target can be asked for."""
    add = parser.add_argument
    add(
        "--gpu", type=_sm, metavar="SM", help="plan for this architecture, as sm90 (with --dry-run)"
    )
    add("--gpu-memory", type=_gib, metavar="GIB", help="of each GPU, if not all it has may be used")
    add("--tp", type=_count, default=1, metavar="N", help="GPUs that share each layer (1)")
    add("--pp", type=_count, default=1, metavar="N", help="GPUs in a row, for the layers (1)")
    add("--quantization", choices=tuple(FORMATS), help="of the weights (by GPU and model)")
    add("--kv-cache", choices=("fp8", "int8", "16bit"), help="its numbers (by GPU and weights)")
    add("--context", type=_count, metavar="TOKENS", help="the longest sequence (by GPU and model)")
    add("--max-batch", type=_count, metavar="N", help="sequences at once (by GPU)")
    add("--max-tokens", type=_count, metavar="N", help="tokens a step computes (by GPU)")
    add("--tensorrt-llm", default=DEFAULT_VERSION, metavar="VERSION",
        help=f"{DEFAULT_VERSION} or earlier compiles, 1.3 or later makes a checkpoint")  # fmt: skip
    add("--calibration", type=_folder, metavar="FOLDER",
        help="a data set like cnn_dailymail, which is downloaded otherwise")  # fmt: skip
    add("--lora", type=_folder, action="append", default=[], metavar="FOLDER",
        help="a LoRA adapter to serve too; may be given again")  # fmt: skip
    add("--modelopt", type=_folder, metavar="FOLDER",
        help="a clone of NVIDIA's Model-Optimizer, to quantize checkpoints with")  # fmt: skip
    add("--no-container", action="store_true", help="we are in the image already")
    add("--examples", default=EXAMPLES, metavar="FOLDER", help=f"in the image ({EXAMPLES})")


def _sm(text: str) -> int:
    try:
        return parse_sm(text)
    except ValueError:
        known = ", ".join(f"sm{one}" for one in PROFILES)
        raise argparse.ArgumentTypeError(f"{text!r} is none of {known}") from None


def _gib(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size in GiB")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def _folder(text: str) -> Path:
    path = Path(text).expanduser().resolve()
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return path
