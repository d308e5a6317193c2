"""One log of everything that runs: the API's lines, and Triton's and the engines' in their form."""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

from scripts.launcher.bounded_log import BoundedLog
from scripts.launcher.entries import Entry, EntryReader

TAIL_LINES: Final = 12
# A line that does not end is cut here.
_MAX_PENDING_BYTES: Final = 65_536
Render: TypeAlias = Callable[[Mapping[str, object]], str]


class LogStream:
    """A file that several services write to, whole lines each."""

    def __init__(self, path: Path, render: Render) -> None:
        """Write to `path`, entries as `render` makes them."""
        self.path = path
        self._render = render
        self._file = BoundedLog(path)

    def add(self, entry: Entry, source: str) -> None:
        """Write an entry of `source`, with the time of now."""
        fields = {
            "source": source,
            "model": entry.model,
            "where": entry.where,
            "event": entry.text,
            "level": entry.level,
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "exception": entry.exception,
        }
        told = {name: value for name, value in fields.items() if value is not None}
        self.add_line(self._render(told))

    def add_line(self, line: str) -> None:
        """Write a line that has its form already."""
        self._file.write(line.encode("utf-8", "replace") + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ServiceLog:
    """Takes the output of one process as it comes from a pipe, and keeps its last lines at hand.

    has_form: tells a line that is written as it is; tail_of: a log whose tail has these lines too.
    """

    def __init__(
        self,
        stream: LogStream,
        source: str,
        reader: EntryReader,
        has_form: Callable[[str], bool] = lambda _: False,
        tail_of: "ServiceLog | None" = None,
    ) -> None:
        self.path = stream.path
        self._stream = stream
        self._source = source
        self._reader = reader
        self._has_form = has_form
        self._pending = b""
        self._tail: deque[str] = tail_of._tail if tail_of else deque(maxlen=TAIL_LINES)

    def write(self, chunk: bytes) -> None:
        """Log the lines that the chunk completes; what comes from a pipe may end anywhere."""
        *lines, self._pending = (self._pending + chunk).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._pending) > _MAX_PENDING_BYTES:
            self._end_line()

    def settle(self) -> None:
        """Log what waits for more of it: nothing has come for a while."""
        for entry in self._reader.settle():
            self._stream.add(entry, self._source)

    def end(self) -> None:
        """Log what is left: nothing more will come."""
        self._end_line()
        self.settle()

    def tail(self) -> str:
        """Return the last lines, each cut to a readable length."""
        return "\n".join(f"  {line[:300]}" for line in self._tail if line.strip())

    def _end_line(self) -> None:
        line, self._pending = self._pending, b""
        if line:
            self._take(line)

    def _take(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r")
        self._tail.append(text)
        if self._has_form(text):
            self._stream.add_line(text)
            return
        for entry in self._reader.read(text):
            self._stream.add(entry, self._source)
