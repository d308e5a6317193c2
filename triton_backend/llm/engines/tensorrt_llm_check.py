"""Whether an engine was built for this machine, said in one sentence and the command that mends it.

TensorRT-LLM would say it minutes later, with a trace from a worker process. In the order in which
looking costs: GPUs, version, memory, files.
"""

from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from ..errors import LoadError
from ..integrity import refuse_altered
from ..manifest import CHECKPOINT, EngineManifest, GpuBuild
from .tensorrt_llm_gpus import Gpu

DISTRIBUTION: Final = "tensorrt_llm"
_GIB: Final = 2**30
# The first version whose PyTorch flow has the interface this adapter uses.
_FIRST_PYTORCH: Final = (1, 0)


def installed_version() -> str | None:
    """The version of TensorRT-LLM here, None if there is none; does not import it."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return None


def version_numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: (1, 3, 0) for "1.3.0rc2"."""
    numbers: list[int] = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def checked_build(folder: Path, manifest: EngineManifest) -> GpuBuild:
    """The manifest's `build`; LoadError when there is none."""
    if manifest.build is None:
        name = folder.parent.name
        raise LoadError(f"{name}: engine.json does not say for which GPU it was built (`build`).")
    return manifest.build


def ranks_over_nodes(environ: Mapping[str, str]) -> int:
    """How many MPI ranks `trtllm-llmapi-launch` holds, on all nodes; 0 without it."""
    # The names are its own: it exports them to the command it starts.
    if environ.get("TLLM_SPAWN_PROXY_PROCESS") != "1":
        return 0
    return int(environ.get("tllm_mpi_size", "1"))


def refuse_other_machine(
    folder: Path,
    manifest: EngineManifest,
    gpus: Sequence[Gpu],
    version: str | None,
    num_ranks: int = 0,
) -> None:
    """Raise LoadError when this machine cannot run what is in the folder.

    num_ranks: see ranks_over_nodes; then some of the GPUs are elsewhere, and these are looked at.
    """
    build, name = checked_build(folder, manifest), folder.parent.name
    remedy = f"Run `scripts/build_engine --rebuild {name}`."
    used = gpus[: build.tensor_parallel * build.pipeline_parallel]
    fault = (
        _count_fault(build, len(used), num_ranks)
        or _gpu_fault(build, used)
        or _version_fault(build, version)
        or _memory_fault(build, used)
    )
    if fault:
        raise LoadError(f"{name}: {fault}. {remedy}")
    refuse_altered(folder, manifest.files, remedy)


def _count_fault(build: GpuBuild, num_gpus: int, num_ranks: int) -> str | None:
    needed = build.tensor_parallel * build.pipeline_parallel
    noun = "GPU" if needed == 1 else "GPUs"
    if num_ranks and num_ranks != needed:
        return f"it needs {needed} NVIDIA {noun}, and MPI was started with {num_ranks} ranks"
    if not num_ranks and num_gpus < needed:
        return f"it needs {needed} NVIDIA {noun}, and {num_gpus or 'none'} can be seen here"
    return None


def _gpu_fault(build: GpuBuild, used: Sequence[Gpu]) -> str | None:
    for gpu in used:
        if gpu.sm not in build.runs_on:
            return (
                f"it was built for SM {build.sm} ({build.gpu}), and GPU {gpu.index} here is "
                f"SM {gpu.sm} ({gpu.name})"
            )
    return None


def _version_fault(build: GpuBuild, version: str | None) -> str | None:
    if version is None:
        return f"it needs TensorRT-LLM {build.tensorrt_llm}, and none is installed here"
    if build.kind == CHECKPOINT:
        if version_numbers(version)[:2] < _FIRST_PYTORCH:
            return f"its checkpoint needs TensorRT-LLM 1.0 or later, and {version} is installed"
        return None
    if version != build.tensorrt_llm:
        return f"it was built by TensorRT-LLM {build.tensorrt_llm}, and {version} is installed"
    return None


def _memory_fault(build: GpuBuild, used: Sequence[Gpu]) -> str | None:
    for gpu in used:
        if gpu.total_bytes and gpu.free_bytes < build.memory_bytes:
            return (
                f"it needs {build.memory_bytes / _GIB:.1f} GiB of memory on each GPU, and GPU "
                f"{gpu.index} has {gpu.free_bytes / _GIB:.1f} GiB free of "
                f"{gpu.total_bytes / _GIB:.1f}"
            )
    return None
