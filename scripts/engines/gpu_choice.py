"""The GPUs to build for: those of this machine, or one that is only described."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scripts.adding.errors import AddingError
from scripts.engines.profiles import PROFILES, GpuProfile
from triton_backend.llm.engines.tensorrt_llm_gpus import Gpu

_SM: Final = re.compile(r"sm[_-]?(\d{2,3})")
# In the units nvidia-smi and the makers use for a GPU's memory.
_GIB: Final = 2**30


@dataclass(frozen=True, slots=True)
class GpuChoice:
    """What is built for; `gpus` is empty when it is only planned."""

    profile: GpuProfile
    name: str
    total_bytes: int
    driver: str
    gpus: tuple[Gpu, ...]


def parse_sm(text: str) -> int:
    """The architecture in a text like "sm90"; ValueError for one that has no profile."""
    found = _SM.fullmatch(text.lower())
    if found is None or int(found[1]) not in PROFILES:
        raise ValueError(text)
    return int(found[1])


def choose_gpus(
    gpus: Sequence[Gpu], sm: int | None, memory_gb: float | None, num: int
) -> GpuChoice:
    """The first `num` GPUs of the machine, or a GPU described by `sm` and `memory_gb`.

    Raises AddingError when they are not there, differ, or have no profile.
    """
    if sm is not None:
        return _described(gpus, sm, memory_gb)
    if not gpus:
        raise AddingError(
            "There is no NVIDIA GPU here (nvidia-smi lists none): name the one to plan for, as in"
            " --gpu sm90 --gpu-memory 80 --dry-run.",
            2,
        )
    if len(gpus) < num:
        raise AddingError(f"{num} GPUs are asked for, and {len(gpus)} can be seen here.", 2)
    used = tuple(gpus[:num])
    if len({gpu.sm for gpu in used}) > 1:
        raise AddingError("The GPUs differ: an engine runs on one architecture only.", 2)
    first = used[0]
    if first.sm not in PROFILES:
        known = ", ".join(f"SM {one}" for one in PROFILES)
        raise AddingError(f"There is no profile for SM {first.sm} ({first.name}), only {known}.", 2)
    total = int((memory_gb or 0) * _GIB) or min(gpu.total_bytes for gpu in used)
    if not total:
        raise AddingError(f"nvidia-smi does not tell the memory of {first.name}: --gpu-memory.", 2)
    return GpuChoice(PROFILES[first.sm], first.name, total, first.driver, used)


def _described(gpus: Sequence[Gpu], sm: int, memory_gb: float | None) -> GpuChoice:
    here = next((gpu for gpu in gpus if gpu.sm == sm), None)
    if memory_gb is None and here is None:
        raise AddingError("--gpu needs the GPU's memory as well, as in --gpu-memory 80.", 2)
    total = int(memory_gb * _GIB) if memory_gb is not None else here.total_bytes if here else 0
    profile = PROFILES[sm]
    return GpuChoice(profile, profile.gpus, total, "unknown", ())
