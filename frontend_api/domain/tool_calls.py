"""Tool calls in a model's text: the parser for each format, and the whole answer at once.

A parser's `push(delta)` returns the pieces that are certain by now, `finish()` the rest; the joined
pieces are the same however the text was cut, and cost O(its length).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from frontend_api.domain.answer_pieces import CallArguments, CallsEnded, CallStarted, Content
from frontend_api.domain.tool_calls_base import CallRules, ToolCallParser
from frontend_api.domain.tool_calls_forced import NamedCallParser, RequiredCallsParser
from frontend_api.domain.tool_calls_hermes import HermesParser
from frontend_api.domain.tool_calls_llama import LlamaJsonParser

__all__ = [
    "TOOL_FORMATS",
    "CallRules",
    "ParsedAnswer",
    "ToolCall",
    "ToolCallParser",
    "open_forced_parser",
    "open_parser",
    "parse_answer",
]

# By the name in `tool_format` of a model's engine.json.
_PARSERS: Final[dict[str, Callable[[CallRules], ToolCallParser]]] = {
    "hermes": HermesParser,
    "llama3_json": LlamaJsonParser,
}
TOOL_FORMATS: Final = frozenset(_PARSERS)


def open_parser(tool_format: str, rules: CallRules) -> ToolCallParser:
    """Return a parser of the model's own format; KeyError for one not in TOOL_FORMATS."""
    return _PARSERS[tool_format](rules)


def open_forced_parser(rules: CallRules, named: str | None = None) -> ToolCallParser:
    """Return a parser of constrained output: any tools' calls, or a named one's arguments."""
    return RequiredCallsParser(rules) if named is None else NamedCallParser(rules, named)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call with all its arguments, as JSON text (the beginning of it, if `is_cut`)."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """A complete answer: its content ("" if it has none), its calls, and how they ended."""

    content: str
    calls: tuple[ToolCall, ...]
    ended: CallsEnded


def parse_answer(text: str, parser: ToolCallParser) -> ParsedAnswer:
    """Return what a fresh parser finds in a complete text."""
    content: list[str] = []
    started: list[CallStarted] = []
    arguments: list[list[str]] = []
    ended = CallsEnded(calls=0, malformed=0, is_cut=False)
    for piece in (*parser.push(text), *parser.finish()):
        match piece:
            case Content(said):
                content.append(said)
            case CallStarted():
                started.append(piece)
                arguments.append([])
            case CallArguments(index, written):
                arguments[index].append(written)
            case CallsEnded():
                ended = piece
    calls = (ToolCall(c.id, c.name, "".join(arguments[c.index])) for c in started)
    return ParsedAnswer("".join(content), tuple(calls), ended)
