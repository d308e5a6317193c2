"""The output of Triton and of engines, read as log entries.

How it works: a line in Triton's own form (`E1122 14:26:10.318199 14534 server.cc:241] "text"`)
gives its level, its place in Triton's source, its text and, where the text names exactly one
model, the model. Tables that follow such a line belong to it. A Python traceback is one entry
from its first line to that of the exception; another process's line in between ends it, since
nothing tells whose the rest is. Any other line is an entry of its own, at the level it names.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

MAX_LINES: Final = 200
MAX_LINE_CHARS: Final = 16_384
_TRITON: Final = re.compile(r"([VIWEF])\d{4} [\d:.]{8,} \d+ (\S+:\d+)\] ?(.*)")
_LEVELS: Final = {"V": "debug", "D": "debug", "I": "info", "W": "warning", "E": "error"}
_CRITICAL: Final = "critical"
# "[TensorRT-LLM][WARNING] …", "[TRT-LLM] [W] …", "2026-11-22 10:00:00 ERROR …", "WARNING:root:…".
_NAMED_LEVEL: Final = re.compile(
    r"(?:[-\d:.,TZ/\[\]]+ ){0,2}(?:\[T\S+\] ?\[([VDIWEFC])[A-Z]*\]"
    r"|\[?(?:(V)ERBOSE|(D)EBUG|(I)NFO|(W)ARN(?:ING)?|(E)RROR|(F)ATAL|(C)RITICAL)\b)"
)
_ENDS: Final = ("Fatal Python error", "Segmentation fault", "terminate called", "Aborted")
_TRACEBACK: Final = ("Traceback (most recent call last):", "Exception in thread ")
_CHAIN: Final = (
    "During handling of the above exception",
    "The above exception was the direct cause",
)
_TABLE: Final = ("+", "|")
# Our backend's own lines begin with their model.
_OURS: Final = re.compile(r"\[model ([^\]\n]+)\] ")
_MODEL: Final = re.compile(
    r"model:? '([^']+)'|(?:load|loaded|unloaded) '([^']+)'|loading: (\S+):-?\d+"
    r"|'([^'\s]+)_\d+_\d+'|Model\w+: (\S+)_\d+_\d+ \(|model ([\w.-]+),"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was said. where: a place in Triton's source; exception: a whole traceback."""

    level: str
    text: str
    model: str | None = None
    where: str | None = None
    exception: str | None = None


class EntryReader:
    """Turns lines into entries. model: whose output it is, if one's; is_model: knows names."""

    def __init__(
        self, is_model: Callable[[str], bool] = lambda _: False, model: str | None = None
    ) -> None:
        self._is_model = is_model
        self._model = model
        self._begun: Entry | None = None  # a line of Triton's that a table may follow
        self._traceback = False
        self._has_ended = False  # the traceback has come to its exception
        self._lines: list[str] = []

    def read(self, line: str) -> Sequence[Entry]:
        """Return the entries that this line completes."""
        line = line[:MAX_LINE_CHARS]
        if self._continues(line):
            self._lines.append(line)
            return self.settle() if len(self._lines) >= MAX_LINES else ()
        before = self.settle()
        if line.startswith(_TRACEBACK):
            self._traceback, self._lines = True, [line]
            return before
        if found := _TRITON.fullmatch(line):
            letter, where, told = found.groups()
            text, rest = _unquoted(told)
            entry = self._of_triton(letter, where, text)
            if entry.text:
                # Another process's line may follow on at once: both write to one pipe.
                return (*before, entry, *(self.read(rest) if rest else ()))
            self._begun = entry
            return before
        return (*before, *self._of_line(line))

    def settle(self) -> Sequence[Entry]:
        """Return what was begun: nothing more of it is to come."""
        begun, lines, was_traceback = self._begun, self._lines, self._traceback
        self._begun, self._lines = None, []
        self._traceback = self._has_ended = False
        if was_traceback:
            return [self._of_traceback(lines)]
        if begun is not None:
            text = "\n".join(lines).strip()
            return [Entry(begun.level, text, self._model, begun.where)] if text else []
        return []

    def _continues(self, line: str) -> bool:
        if self._begun is not None:
            return not line or line.startswith(_TABLE)
        if not self._traceback or _TRITON.match(line):
            return False
        if not line or line[0].isspace() or line.startswith(_CHAIN):
            return True
        if line.startswith(_TRACEBACK):
            # The next of a chain; a new one follows on an exception at once.
            is_next = not self._has_ended or not self._lines[-1]
            self._has_ended = False
            return is_next
        was_open, self._has_ended = not self._has_ended, True
        return was_open

    def _of_triton(self, letter: str, where: str, text: str) -> Entry:
        model = self._model
        if ours := _OURS.match(text):
            model, text = ours[1], text[ours.end() :]
        elif model is None:
            model = self._named_in(text)
        return Entry(_LEVELS.get(letter, _CRITICAL), text, model, where)

    def _of_line(self, line: str) -> Sequence[Entry]:
        if not line.strip():
            return ()
        found = _NAMED_LEVEL.match(line)
        letter = next(filter(None, found.groups()), "I") if found else "I"
        level = _CRITICAL if line.startswith(_ENDS) else _LEVELS.get(letter, _CRITICAL)
        return [Entry(level, line.rstrip(), self._model)]

    def _of_traceback(self, lines: Sequence[str]) -> Entry:
        said = [line for line in lines if line and not line[0].isspace()]
        return Entry("error", said[-1], self._model, exception="\n".join(lines).rstrip())

    def _named_in(self, text: str) -> str | None:
        named = {name for found in _MODEL.finditer(text) for name in found.groups() if name}
        models = {name for name in named if self._is_model(name)}
        return models.pop() if len(models) == 1 else None


def _unquoted(text: str) -> tuple[str, str]:
    """Return a message, which Triton writes as a JSON string, and what stands behind it."""
    if not text.startswith('"'):
        return text, ""
    try:
        said, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return text, ""
    return str(said).rstrip(), text[end:]
