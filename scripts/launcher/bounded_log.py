"""A log file that cannot fill the disk."""

from pathlib import Path

MAX_BYTES = 8 * 1024 * 1024


class BoundedLog:
    """Appends to `path`; beyond `max_bytes` the file becomes `<path>.1` and starts anew."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._file = path.open("wb")

    def write(self, chunk: bytes) -> None:
        """Append whole chunks."""
        if self._file.tell() + len(chunk) > self._max_bytes:
            self._file.close()
            self.path.replace(self.path.with_name(self.path.name + ".1"))
            self._file = self.path.open("wb")
        self._file.write(chunk)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
