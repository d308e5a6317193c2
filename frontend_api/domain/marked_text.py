"""Reading streamed text that has markers in it, such as `<think>`.

How it works: a parser is a set of steps. A step looks at the text from one position, delivers what
is certain, and returns the position it has read to. What may still become a marker is kept in
`_held` (shorter than a marker) and is seen again with the next delta; white space that may turn out
to belong to a marker waits in `_gap`, a list that is joined once. So a stream costs O(its length).
A marker's first character must not occur in it again: then only its last place can begin one.
"""

import re
from collections.abc import Callable
from typing import Final, Generic

from frontend_api.domain.answer_pieces import P, merged

SPACE: Final = " \t\r\n"
_SPACES: Final = re.compile(f"[{SPACE}]*")

Step = Callable[[str, int], int]


def skip_space(text: str, start: int) -> int:
    """Return the position of the first character from `start` on that is no white space."""
    run = _SPACES.match(text, start)
    return run.end() if run else start


def partial_marker(text: str, start: int, marker: str) -> int:
    """Return where a marker cut off by the end of the text begins, or the text's length."""
    at = text.rfind(marker[0], max(start, len(text) - len(marker) + 1))
    return at if at >= 0 and marker.startswith(text[at:]) else len(text)


def may_begin(text: str, at: int, *markers: str) -> bool:
    """Whether one of the markers stands at `at`, or may, once more text comes."""
    return any(marker.startswith(text[at : at + len(marker)]) for marker in markers)


class SteppedParser(Generic[P]):
    """A parser made of steps; `push` takes one delta and returns what is certain by now."""

    def __init__(self, first_step: Step) -> None:
        self._step = first_step
        self._held = ""
        self._gap: list[str] = []
        self._out: list[P] = []

    def push(self, delta: str) -> list[P]:
        """Return the pieces this delta completes, in order; often none or one."""
        text = self._held + delta
        self._held = ""
        at = 0
        while at < len(text):
            at = self._step(text, at)
        return self._take()

    def _take(self) -> list[P]:
        out, self._out = self._out, []
        return merged(out) if len(out) > 1 else out

    def _hold(self, text: str, start: int) -> int:
        self._held = text[start:]
        return len(text)

    def _past_space(self, text: str, start: int) -> int:
        end = skip_space(text, start)
        self._gap.append(text[start:end])
        return end

    def _take_gap(self) -> str:
        gap = "".join(self._gap)
        self._gap.clear()
        return gap
