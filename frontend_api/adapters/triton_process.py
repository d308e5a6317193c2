"""Notices at once when a model's process on this machine ends.

Triton takes a second to notice a dead stub, and only when asked. A process file
descriptor (pidfd_open(2), Linux 5.3) becomes readable in the moment its process ends.
Where the model runs elsewhere, or there is no such call, the probes alone must do.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from frontend_api.adapters.triton_describe import ProcessId

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE: Final = Path("/proc/self/ns/pid")


def local_namespace() -> str | None:
    """Return what names this machine's boot and this process's numbering; None if unknown."""
    try:
        return f"{_BOOT_ID.read_text().strip()}/{_PID_NAMESPACE.readlink()}"
    except OSError:
        return None


class ProcessWatch:
    """Calls back once when the watched process ends."""

    def __init__(self, process: ProcessId, on_end: Callable[[], None]) -> None:
        """Watch from now on, if the process is one of this machine; `close` ends it."""
        self.process = process
        self._loop = asyncio.get_running_loop()
        self._on_end = on_end
        self._fd: int | None = None
        if process.namespace != local_namespace():
            return
        try:
            self._fd = os.pidfd_open(process.pid)
        except OSError:
            return
        self._loop.add_reader(self._fd, self._end)

    def close(self) -> None:
        """Stop watching."""
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = None

    def _end(self) -> None:
        self.close()
        self._on_end()
