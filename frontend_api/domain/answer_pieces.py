"""What the parsers of a model's text deliver: typed pieces of one answer, in order."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeVar


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Text the model thought, without its tags; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Content:
    """Text of the answer itself; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A tool call begins: sent once, before any of its arguments; `index` counts from 0."""

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """The next piece of the argument text of call `index`; never empty."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class CallsEnded:
    """The last piece of a stream parsed for tool calls.

    calls: how many were started. malformed: how many attempts were no valid call, and were given
    back as content (from the fault on, if already started). is_cut: the text ended inside a call.
    """

    calls: int
    malformed: int
    is_cut: bool


TextPiece = Reasoning | Content | CallArguments
CallPiece = Content | CallStarted | CallArguments | CallsEnded
ReasoningPiece = Reasoning | Content
Piece = CallPiece | ReasoningPiece
P = TypeVar("P", bound=Piece)


def merged(pieces: Iterable[P]) -> list[P]:
    """Return the pieces with neighbours that continue each other joined into one."""
    found = list(pieces)
    if len(found) < 2:  # noqa: PLR2004 - a stream's usual case, once for each token
        return found
    return [_joined(list(run)) for _, run in groupby(found, key=_stream_of)]


def _stream_of(piece: Piece) -> tuple[type[Piece], int]:
    index = piece.index if isinstance(piece, CallStarted | CallArguments) else 0
    return type(piece), index


def _joined(run: list[P]) -> P:
    first = run[0]
    if len(run) == 1 or not isinstance(first, TextPiece):
        return first
    return replace(first, text="".join(p.text for p in run if isinstance(p, TextPiece)))
