"""Tool calls as Hermes and Qwen models write them: JSON between `<tool_call>` and `</tool_call>`.

Text may stand before, between and after calls. A missing `</tool_call>` is forgiven: the object's
last brace ends the call. A marker inside a JSON string is part of the string.
"""

from typing import Final

from frontend_api.domain.marked_text import SPACE, may_begin, partial_marker
from frontend_api.domain.tool_calls_base import CallObjectParser, CallRules

OPEN: Final = "<tool_call>"
CLOSE: Final = "</tool_call>"


class HermesParser(CallObjectParser):
    """Tells `<tool_call>` blocks from content."""

    def __init__(self, rules: CallRules) -> None:
        super().__init__(rules, self._content)
        self._is_after_call = False

    def _content(self, text: str, start: int) -> int:
        marker = text.find(OPEN, start)
        end = marker if marker >= 0 else partial_marker(text, start, OPEN)
        body = text[start:end].rstrip(SPACE)
        if body:
            self._say(body)
            self._is_after_call = False
        self._gap.append(text[start + len(body) : end])
        if marker < 0:
            return self._hold(text, end)
        self._gap.append(OPEN)
        self._begin_call()
        return end + len(OPEN)

    def _after_call(self, text: str, start: int) -> int:
        at = self._past_space(text, start)
        self._is_after_call = True
        if text.startswith(CLOSE, at):
            self._gap.clear()
            self._step = self._content
            return at + len(CLOSE)
        if may_begin(text, at, CLOSE):
            return self._hold(text, at)
        self._step = self._content
        return at

    def _after_fault(self, text: str, start: int) -> int:
        self._is_after_call = False
        self._step = self._content
        return self._content(text, start)

    def _end_content(self) -> None:
        is_cut_close = self._step == self._after_call
        if self._is_after_call:
            self._gap.clear()
        self._say("" if is_cut_close else self._held)
