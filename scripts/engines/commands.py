"""The commands that build, and the container they run in; every flag is in tests/facts.

They run in the image that will serve the engine, since an engine holds for one TensorRT version.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scripts.adding.arguments import ROOT
from scripts.engines.choices import Choice
from scripts.engines.formats import FORMATS
from scripts.engines.profiles import GpuProfile

EXAMPLES: Final = "/app/tensorrt_llm/examples"
_PTQ: Final = "examples/llm_ptq/scripts"
TRIAL: Final = "scripts.adding.trial"
_16_BITS: Final = "auto"  # gemm_plugin in the weights' own type; for FP8 it is left out


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie for the commands; the same paths inside a container and outside."""

    source: Path
    work: Path
    modelopt: Path
    calibration: Path | None = None
    adapters: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """One command; `reads` are the folders it needs, `environ` is set for it.

    checked: its own flags, the first one first, which its help must name. cwd: where it runs, if
    that matters.
    """

    argv: tuple[str, ...]
    reads: tuple[Path, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    checked: tuple[str, ...] = ()
    cwd: Path | None = None

    def __str__(self) -> str:
        """As a line for a shell."""
        place = [] if self.cwd is None else ["cd", shlex.quote(str(self.cwd)), "&&"]
        settings = [f"{name}={shlex.quote(value)}" for name, value in self.environ.items()]
        return " ".join([*place, *settings, shlex.join(self.argv)])


@dataclass(frozen=True, slots=True)
class Container:
    """How commands get into an image: its GPUs by index, and whether it may reach the network."""

    image: str
    gpus: Sequence[int]
    has_network: bool


def quantize_flags(choice: Choice, places: Places) -> dict[str, str]:
    """The flags of quantize.py, which converts too (`full_prec`)."""
    shape = choice.shape
    flags = {
        "model_dir": str(places.source),
        "output_dir": str(places.work / "checkpoint"),
        "dtype": "auto",
        "qformat": FORMATS[shape.weights].qformat,
        "tp_size": str(shape.tensor_parallel),
        "pp_size": str(shape.pipeline_parallel),
    }
    if shape.kv_cache:
        flags["kv_cache_dtype"] = shape.kv_cache
    if places.calibration is not None:
        flags["calib_dataset"] = str(places.calibration)
    return flags


def build_flags(
    choice: Choice, profile: GpuProfile, places: Places, lora_rank: int
) -> dict[str, str]:
    """The flags of trtllm-build."""
    shape = choice.shape
    num = shape.tensor_parallel * shape.pipeline_parallel
    flags = {
        "checkpoint_dir": str(places.work / "checkpoint"),
        "output_dir": str(places.work / "engine"),
        "workers": str(num),
        "max_batch_size": str(shape.max_batch_size),
        "max_num_tokens": str(shape.max_num_tokens),
        # Its own default is 1024, whatever the sequence length.
        "max_input_len": str(shape.context_length),
        "max_seq_len": str(shape.context_length),
        "kv_cache_type": "paged",
        "gemm_plugin": {"fp8": "disable", "nvfp4": "nvfp4"}.get(shape.weights, _16_BITS),
        **profile.plugins,
    }
    if num > 1 and choice.family.has_fused_reduction:
        flags["reduce_fusion"] = "enable"
    if places.adapters:
        flags |= {"lora_plugin": _16_BITS, "max_lora_rank": str(lora_rank)}
    return flags


def engine_commands(
    choice: Choice, profile: GpuProfile, places: Places, examples: str, lora_rank: int
) -> list[Command]:
    """From Hugging Face weights to a compiled engine in `work/engine`."""
    quantize = _flags(quantize_flags(choice, places))
    build = _flags(build_flags(choice, profile, places, lora_rank))
    if places.adapters:
        build += ["--lora_dir", *map(str, places.adapters)]
    script = f"{examples}/quantization/quantize.py"
    read = tuple(path for path in (places.source, places.calibration) if path is not None)
    return [
        Command(("python3", script, *quantize), read, checked=_names(quantize)),
        Command(("trtllm-build", *build), places.adapters, checked=_names(build)),
    ]


def checkpoint_command(choice: Choice, places: Places) -> Command:
    """From Hugging Face weights to a quantized checkpoint, in a folder `saved_models_...`."""
    name = FORMATS[choice.shape.weights].modelopt or choice.shape.weights
    flags = ["--model", str(places.source), "--quant", name]
    if _takes_export_format(places.modelopt):
        flags += ["--export_fmt", "hf"]
    script = str(places.modelopt / _PTQ / "huggingface_example.sh")
    read = (places.source, places.modelopt)
    return Command(("bash", script, *flags), read, {"ROOT_SAVE_PATH": str(places.work)})


def trial_command(version: Path) -> Command:
    """Ten tokens of the finished model, by the engine and the code that will serve it."""
    argv = ("python3", "-m", TRIAL, str(version))
    # Run where the code lies, which is how Python finds it: the image's PYTHONPATH is its own.
    return Command(argv, (ROOT / "scripts", ROOT / "triton_backend", version), cwd=ROOT)


def in_container(command: Command, container: Container, work: Path | None) -> Command:
    """The same command in an image, as this user and with nothing but what it needs.

    work: the folder it writes into, None for one that only reads.
    """
    # PyTorch asks for the user's name, and the image knows none for this user's number.
    environ = {"HOME": "/tmp", "USER": "conch", **command.environ}  # noqa: S108 - in the container
    if not container.has_network:
        environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    devices = ",".join(map(str, container.gpus))
    # --init: without it the first process of a container does not hear that it is to end.
    argv = ["docker", "run", "--rm", "--init", "--gpus", f'"device={devices}"']
    argv += ["--shm-size=1g", "--ulimit", "memlock=-1", "--user", f"{os.getuid()}:{os.getgid()}"]
    if not container.has_network:
        argv += ["--network", "none"]
    for name, value in environ.items():
        argv += ["--env", f"{name}={value}"]
    for path in command.reads:
        argv += ["--volume", f"{path}:{path}:ro"]
    if work is not None:
        argv += ["--volume", f"{work}:{work}"]
    if command.cwd is not None:
        argv += ["--workdir", str(command.cwd)]
    argv.append(container.image)
    return Command((*argv, *command.argv), checked=command.checked)


def help_of(command: Command) -> Command:
    """The same tool asked for its flags."""
    tool = command.argv[: command.argv.index(command.checked[0])]
    return Command((*tool, "--help"), environ=command.environ)


def _takes_export_format(modelopt: Path) -> bool:
    """Whether this version's script has the flag; later ones always export for Hugging Face."""
    try:
        return "export_fmt" in (modelopt / _PTQ / "parser.sh").read_text(encoding="utf-8")
    except OSError:
        return True


def _flags(flags: Mapping[str, str]) -> list[str]:
    return [part for name, value in flags.items() for part in (f"--{name}", value)]


def _names(argv: Sequence[str]) -> tuple[str, ...]:
    return tuple(part for part in argv if part.startswith("--"))
