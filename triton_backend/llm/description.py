"""What a served model says about itself: its engine.json, its process, and what it does now."""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Final

from .engines.protocol import EngineStats
from .json_values import JsonValue
from .manifest import EngineManifest

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE: Final = Path("/proc/self/ns/pid")
_MEMORY: Final = Path("/proc/self/statm")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class Description:
    """The answer to `describe`.

    To what the manifest has it adds `process`, by which a client on this machine can watch us
    (Triton 2.51 takes a second to see that a model's process is dead, and never ends its
    streams), and whether anybody uses the model, so that an idle one can be unloaded.
    """

    def __init__(
        self,
        manifest: EngineManifest,
        found: Mapping[str, JsonValue],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Add what was `found` when the model was loaded."""
        self._clock = clock
        self._used_at = clock()
        process: JsonValue = {"namespace": _namespace(), "pid": os.getpid()}
        self._fixed = {**asdict(manifest), **found, "process": process}

    def set_used(self) -> None:
        """Note that somebody asks for an answer now."""
        self._used_at = self._clock()

    def text(self, stats: EngineStats) -> str:
        """The description of this moment, as JSON."""
        num_running = stats.running + stats.waiting
        if num_running:
            self.set_used()
        now = {
            "num_running": num_running,
            "idle_s": round(self._clock() - self._used_at, 1),
            "memory_bytes": _memory_bytes(),
        }
        return json.dumps(self._fixed | now)


def _memory_bytes() -> int | None:
    """How much memory this process holds; None when unknown."""
    try:
        return int(_MEMORY.read_text().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return None


@cache
def _namespace() -> str:
    """Names this boot of the machine and this numbering of processes; "" when unknown."""
    try:
        return f"{_BOOT_ID.read_text().strip()}/{_PID_NAMESPACE.readlink()}"
    except OSError:
        return ""
