"""What the parsers' tests share: every way to cut a text, and how much work a parser did."""

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from types import FrameType
from typing import Any, Protocol, SupportsIndex

from hypothesis import strategies as st

from frontend_api.domain.answer_pieces import (
    CallArguments,
    CallsEnded,
    CallStarted,
    Content,
    Piece,
    Reasoning,
    merged,
)
from frontend_api.domain.tool_calls import CallRules


class Parser(Protocol):
    def push(self, delta: str) -> Iterable[Piece]: ...

    def finish(self) -> Iterable[Piece]: ...


def counted_ids() -> Callable[[], str]:
    """Return a factory of the ids call_0, call_1, …."""
    numbers = iter(range(1_000_000))
    return lambda: f"call_{next(numbers)}"


def rules(*tool_names: str) -> CallRules:
    """Return rules with countable ids, for these tools or for any."""
    return CallRules(counted_ids(), frozenset(tool_names) or None)


def pieces_of(parser: Parser, deltas: Iterable[str]) -> list[Piece]:
    """Return all pieces, those that continue each other joined."""
    pushed = [piece for delta in deltas for piece in parser.push(delta)]
    return merged([*pushed, *parser.finish()])


def cuts(text: str) -> Iterator[list[str]]:
    """Yield the text as single characters, then in every pair of two parts."""
    yield list(text)
    for at in range(len(text) + 1):
        yield [text[:at], text[at:]]


def cut_at(text: str, places: Iterable[int]) -> list[str]:
    """Return the text cut at these positions."""
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in pairwise(bounds)]


def content_of(pieces: Iterable[Piece]) -> str:
    """Return the joined content."""
    return "".join(piece.text for piece in pieces if isinstance(piece, Content))


def reasoning_of(pieces: Iterable[Piece]) -> str:
    """Return the joined reasoning."""
    return "".join(piece.text for piece in pieces if isinstance(piece, Reasoning))


def arguments_of(pieces: Iterable[Piece], index: int) -> str:
    """Return the joined argument text of one call."""
    found = (piece for piece in pieces if isinstance(piece, CallArguments))
    return "".join(piece.text for piece in found if piece.index == index)


def some_text(*fragments: str) -> st.SearchStrategy[str]:
    """Return texts made of these fragments and of arbitrary ones."""
    part = st.sampled_from(fragments) | st.text(max_size=4)
    return st.lists(part, max_size=14).map("".join)


PLACES = st.lists(st.integers(min_value=0, max_value=2000), max_size=12)


class CountedText(str):
    """A text that counts how many of its characters are copied or looked through."""

    work = 0

    def __radd__(self, other: str) -> "CountedText":
        CountedText.work += len(other) + len(self)
        return CountedText(f"{other}{self}")

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        found = super().__getitem__(key)
        CountedText.work += len(found)
        return found

    def find(self, sub: str, start: SupportsIndex | None = 0, *_end: Any) -> int:
        at = super().find(sub, start)
        CountedText.work += (at if at >= 0 else len(self)) - int(start or 0) + len(sub)
        return at

    def rfind(self, sub: str, start: SupportsIndex | None = 0, *_end: Any) -> int:
        CountedText.work += len(self) - int(start or 0)
        return super().rfind(sub, start)


def work_of(parser: Parser, deltas: Iterable[str]) -> int:
    """Return how many lines ran plus how many characters were copied or looked through."""
    lines = 0

    def on_line(_frame: FrameType, event: str, _arg: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return on_line

    CountedText.work = 0
    tracing = sys.gettrace()
    sys.settrace(on_line)
    try:
        pieces_of(parser, [CountedText(delta) for delta in deltas])
    finally:
        sys.settrace(tracing)
    return lines + CountedText.work


def longest_held_string(parser: Parser) -> int:
    """Return the length of the longest single string the parser keeps: what it could re-scan."""
    held = [value for value in vars(parser).values() if not callable(value)]
    for value in list(held):
        if type(value).__module__.startswith("frontend_api"):
            held += [kept for kept in gc.get_referents(value) if not callable(kept)]
    return max((len(value) for value in held if isinstance(value, str)), default=0)


def call(index: int, name: str, arguments: str) -> list[Piece]:
    """Return the pieces of one call with counted ids."""
    return [CallStarted(index, f"call_{index}", name), CallArguments(index, arguments)]


def ended(calls: int = 0, *, malformed: int = 0, is_cut: bool = False) -> CallsEnded:
    """Return the last piece of a stream."""
    return CallsEnded(calls, malformed, is_cut)
