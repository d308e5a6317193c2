"""Stop strings, found across deltas; nothing of a stop string ever leaves.

How it works: for each stop string a Knuth-Morris-Pratt automaton holds how many of its first
characters end the text so far. The largest of these counts is the length of the tail that may
still become a stop string, and that tail is held back. When a count reaches the whole string,
the text before it leaves, the stop string does not. Each character moves each automaton once
(amortised), so a stream of n characters costs O(n) however it is split.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StopMatch:
    """Text that may leave now, and the stop string that was found, if any."""

    text: str
    stop: str | None


class StopFinder:
    """Finds the first of some stop strings in a text that comes in pieces."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._automata = [_Automaton(stop) for stop in stops]
        self._first_chars = frozenset(stop[0] for stop in stops)
        self._held = ""

    def push(self, text: str) -> StopMatch:
        """Take the next piece; after a match nothing may be pushed any more."""
        if not self._held and self._first_chars.isdisjoint(text):
            return StopMatch(text, None)
        for position, char in enumerate(text, start=1):
            # A longer stop string that ends here began earlier, so it wins.
            ended = [one.stop for one in self._automata if one.advance(char)]
            if ended:
                stop = max(ended, key=len)
                seen = self._held + text[:position]
                self._held = ""
                return StopMatch(seen[: len(seen) - len(stop)], stop)
        seen = self._held + text
        free = len(seen) - max(one.matched for one in self._automata)
        self._held = seen[free:]
        return StopMatch(seen[:free], None)

    def finish(self) -> str:
        """The held tail: the text has ended, so it is no stop string."""
        held, self._held = self._held, ""
        return held


class _Automaton:
    """How many characters of one stop string end the text so far."""

    def __init__(self, stop: str) -> None:
        self.stop = stop
        self.matched = 0
        self._fallback = _fallback_table(stop)

    def advance(self, char: str) -> bool:
        """Take one character; True when it completes the stop string."""
        while self.matched and self.stop[self.matched] != char:
            self.matched = self._fallback[self.matched - 1]
        if self.stop[self.matched] == char:
            self.matched += 1
        return self.matched == len(self.stop)


def _fallback_table(stop: str) -> list[int]:
    """For each prefix the length of its longest proper prefix that is also its suffix."""
    table = [0] * len(stop)
    length = 0
    for index in range(1, len(stop)):
        while length and stop[index] != stop[length]:
            length = table[length - 1]
        if stop[index] == stop[length]:
            length += 1
        table[index] = length
    return table
