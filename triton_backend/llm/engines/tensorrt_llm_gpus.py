"""The NVIDIA GPUs of this machine, as nvidia-smi lists them: no CUDA library is loaded for it."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

QUERY: Final = (
    "nvidia-smi",
    "--query-gpu=index,uuid,name,compute_cap,memory.total,memory.free,driver_version",
    "--format=csv,noheader,nounits",
)
_TIMEOUT_S: Final = 20
_MIB: Final = 2**20

# Runs a command and returns what it prints; OSError or SubprocessError when it cannot.
RunCommand = Callable[[Sequence[str]], str]


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU; sm is its architecture, 90 for compute capability 9.0."""

    index: int
    uuid: str
    name: str
    sm: int
    total_bytes: int
    free_bytes: int
    driver: str


def run_command(command: Sequence[str]) -> str:
    """What a command prints on its standard output."""
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S
    ).stdout


def read_gpus(
    run: RunCommand = run_command, environ: Mapping[str, str] = os.environ
) -> tuple[Gpu, ...]:
    """The GPUs that a process with this environment sees; none where there is no driver."""
    try:
        lines = run(QUERY).splitlines()
    except (OSError, subprocess.SubprocessError):
        return ()
    return _visible(tuple(_gpu(line) for line in lines if line.strip()), environ)


def _gpu(line: str) -> Gpu:
    index, uuid, name, capability, total, free, driver = (part.strip() for part in line.split(","))
    major, minor = capability.split(".")
    return Gpu(
        index=int(index),
        uuid=uuid,
        name=name,
        sm=10 * int(major) + int(minor),
        total_bytes=_bytes(total),
        free_bytes=_bytes(free),
        driver=driver,
    )


def _bytes(mebibytes: str) -> int:
    # Machines whose GPU shares the CPU's memory print "[N/A]"; 0 is "not known".
    return int(mebibytes) * _MIB if mebibytes.isdecimal() else 0


def _visible(gpus: tuple[Gpu, ...], environ: Mapping[str, str]) -> tuple[Gpu, ...]:
    """Those that CUDA_VISIBLE_DEVICES leaves, in its order; nvidia-smi does not look at it."""
    wanted = environ.get("CUDA_VISIBLE_DEVICES")
    if wanted is None:
        return gpus
    names = [name.strip() for name in wanted.split(",")]
    return tuple(
        gpu
        for name in names
        for gpu in gpus
        if name and (name == str(gpu.index) or gpu.uuid.startswith(name))
    )
