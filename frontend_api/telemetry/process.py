"""What this process uses, as Linux tells it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/proc/self/statm")
_FILES: Final = Path("/proc/self/fd")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """Memory and files of this moment, processor time since its start; 0 where unknown."""

    memory_bytes: int
    open_files: int
    cpu_s: float


def process_figures() -> ProcessFigures:
    """Look; takes about 0.1 ms."""
    try:
        memory = int(_MEMORY.read_text().split()[1]) * _PAGE_BYTES
        files = sum(1 for _ in _FILES.iterdir())
    except (OSError, ValueError, IndexError):
        memory = files = 0
    return ProcessFigures(memory, files, time.process_time())
