"""The examples of a Markdown page: fenced blocks to be run, each with the answer it promises.

A block in ```bash or ```python is run; the block after it, ```json answer or ```text answer, is
what must come back. `…` stands for anything, numbers for any number; all else is meant.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests.e2e.conch_process import LIMIT_S

_BLOCK = re.compile(
    r"^```(?P<language>bash|python)\n(?P<code>.*?)^```\n"
    r"```(?P<form>json|text) answer\n(?P<answer>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_ANYTHING = "…"
_COMMANDS = {"bash": ["bash", "-euc"], "python": [sys.executable, "-W", "error", "-c"]}


@dataclass(frozen=True)
class Example:
    """One example and the line on which it begins."""

    line: int
    language: str
    code: str
    form: str
    answer: str

    def run(self, address: str) -> str:
        """Run it against the server at `host:port`; return what it printed."""
        code = self.code.replace("127.0.0.1:8000", address)
        command = [*_COMMANDS[self.language], code]
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def differences(self, printed: str) -> list[str]:
        """Return where this differs from what the page says."""
        if self.form == "json":
            return list(_differences(json.loads(self.answer), json.loads(printed), "$"))
        return [] if _pattern(self.answer).fullmatch(printed) else [printed]


def examples(page: str) -> list[Example]:
    """Return every example of a page."""
    return [
        Example(page.count("\n", 0, found.start()) + 1, **found.groupdict())
        for found in _BLOCK.finditer(page)
    ]


def num_runnable(page: str) -> int:
    """Count the blocks that a reader would run."""
    return len(re.findall(r"^```(?:bash|python)$", page, re.MULTILINE))


def _pattern(said: str) -> re.Pattern[str]:
    whole = re.escape(said)
    lines = re.sub(rf"^{_ANYTHING}\\\n", r"(?:.*\\n)?", whole, flags=re.MULTILINE)
    return re.compile(lines.replace(_ANYTHING, ".*"), re.DOTALL)


def _differences(said: object, got: object, at: str) -> Iterator[str]:
    if isinstance(said, dict) and isinstance(got, dict):
        yield from _of_objects(said, got, at)
    elif isinstance(said, list) and isinstance(got, list):
        yield from _of_arrays(said, got, at)
    elif isinstance(said, str) and isinstance(got, str):
        if not _pattern(said).fullmatch(got):
            yield f"{at}: {got!r} instead of {said!r}"
    elif not (_is_number(said) and _is_number(got)) and said != got:
        yield f"{at}: {got!r} instead of {said!r}"


def _of_objects(said: dict[str, object], got: dict[str, object], at: str) -> Iterator[str]:
    named = said.keys() - {_ANYTHING}
    if missing := named - got.keys():
        yield f"{at}: lacks {sorted(missing)}"
    if _ANYTHING not in said and (more := got.keys() - named):
        yield f"{at}: has {sorted(more)} too"
    for key in named & got.keys():
        yield from _differences(said[key], got[key], f"{at}.{key}")


def _of_arrays(said: list[object], got: list[object], at: str) -> Iterator[str]:
    if said == [_ANYTHING]:
        return
    if len(said) != len(got):
        yield f"{at}: {len(got)} items instead of {len(said)}"
    for index, (each, other) in enumerate(zip(said, got, strict=False)):
        yield from _differences(each, other, f"{at}[{index}]")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
