"""What all tool-call formats share: how calls are announced, given back and counted.

Nothing is lost: text that is no valid call is delivered as content, markers and all. White space
and markers around a valid call belong to the call and are dropped.
"""

import secrets
import string
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from frontend_api.domain.answer_pieces import CallPiece, CallsEnded, CallStarted, Content
from frontend_api.domain.call_reader import CallReader
from frontend_api.domain.marked_text import Step, SteppedParser

_ID_CHARS: Final = string.ascii_letters + string.digits


def new_call_id() -> str:
    """Return a fresh id as OpenAI writes them: `call_` and 24 random characters."""
    return "call_" + "".join(secrets.choice(_ID_CHARS) for _ in range(24))


@dataclass(frozen=True, slots=True)
class CallRules:
    """What makes a call: `tool_names`, where given, are the only ones; another name is text."""

    new_id: Callable[[], str] = new_call_id
    tool_names: frozenset[str] | None = None


class ToolCallParser(SteppedParser[CallPiece], ABC):
    """Tells tool calls from content in text that comes in deltas."""

    def __init__(self, rules: CallRules, first_step: Step) -> None:
        super().__init__(first_step)
        self._rules = rules
        self._calls = 0
        self._malformed = 0
        self._is_inside_call = False

    def finish(self) -> list[CallPiece]:
        """Return what was held back, then `CallsEnded`; call once, when the text has ended."""
        self._end_text()
        self._out.append(CallsEnded(self._calls, self._malformed, self._is_inside_call))
        return self._take()

    @abstractmethod
    def _end_text(self) -> None:
        """Deliver what is held back and is no call's markup."""

    def _announce(self, name: str) -> int | None:
        if self._rules.tool_names is not None and name not in self._rules.tool_names:
            return None
        index = self._calls
        self._calls += 1
        self._gap.clear()
        self._out.append(CallStarted(index, self._rules.new_id(), name))
        return index

    def _emit(self, piece: CallPiece) -> None:
        self._out.append(piece)

    def _say(self, text: str) -> None:
        """Deliver content, after the gap before it."""
        said = self._take_gap() + text
        if said:
            self._out.append(Content(said))

    def _plain(self, text: str, start: int) -> int:
        """Take all that still comes for content."""
        self._say(text[start:])
        return len(text)


class CallObjectParser(ToolCallParser):
    """A format whose calls are JSON objects; it says what may come before and after them."""

    def __init__(self, rules: CallRules, first_step: Step) -> None:
        super().__init__(rules, first_step)
        self._reader = CallReader(self._announce, self._emit)

    @abstractmethod
    def _after_call(self, text: str, start: int) -> int:
        """Go on after a whole call."""

    @abstractmethod
    def _after_fault(self, text: str, start: int) -> int:
        """Go on after text that is no call, at the character that made it none."""

    def _begin_call(self) -> None:
        self._reader = CallReader(self._announce, self._emit)
        self._is_inside_call = True
        self._step = self._call

    def _call(self, text: str, start: int) -> int:
        end = self._reader.read(text, start)
        if self._reader.is_failed:
            self._malformed += 1
            self._is_inside_call = False
            self._say("".join(self._reader.undelivered))
            self._step = self._after_fault
        elif self._reader.is_done:
            self._is_inside_call = False
            self._step = self._after_call
        return end

    def _end_text(self) -> None:
        if not self._is_inside_call:
            self._end_content()
        elif not self._reader.is_started:
            self._say("".join(self._reader.undelivered))

    @abstractmethod
    def _end_content(self) -> None:
        """Deliver what is held back outside a call."""
