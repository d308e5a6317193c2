"""A log file that cannot fill the disk, and its last lines at hand."""

from collections import deque
from pathlib import Path

MAX_BYTES = 4 * 1024 * 1024
TAIL_LINES = 12


class BoundedLog:
    """Appends to `path`; beyond `max_bytes` the file becomes `<path>.1` and starts anew."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._file = path.open("wb")

    def write(self, chunk: bytes) -> None:
        """Append whole chunks as they come from a pipe."""
        if self._file.tell() + len(chunk) > self._max_bytes:
            self._file.close()
            self.path.replace(self.path.with_name(self.path.name + ".1"))
            self._file = self.path.open("wb")
        self._file.write(chunk)
        self._file.flush()
        self._tail.extend(chunk.decode("utf-8", "replace").splitlines())

    def tail(self) -> str:
        """Return the last lines, each cut to a readable length."""
        return "\n".join(f"  {line[:300]}" for line in self._tail if line.strip())

    def close(self) -> None:
        """Close the file; the tail stays readable."""
        self._file.close()
