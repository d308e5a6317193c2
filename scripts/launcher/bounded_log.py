"""A log file that cannot fill the disk."""

import contextlib
from pathlib import Path

MAX_BYTES = 8 * 1024 * 1024


class BoundedLog:
    """Appends to `path`; beyond `max_bytes` the file becomes `<path>.1` and starts anew."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._file = path.open("wb", buffering=0)

    def write(self, chunk: bytes) -> None:
        """Append whole chunks; a full disk costs lines, and ends nothing of what runs."""
        with contextlib.suppress(OSError):
            if self._file.tell() + len(chunk) > self._max_bytes:
                self._begin_anew()
            self._file.write(chunk)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _begin_anew(self) -> None:
        self.path.replace(self.path.with_name(self.path.name + ".1"))
        full, self._file = self._file, self.path.open("wb", buffering=0)
        full.close()
