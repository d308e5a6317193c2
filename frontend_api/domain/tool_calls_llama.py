"""Tool calls as Llama 3 models write them: the whole answer is `{"name": …, "parameters": …}`.

`<|python_tag|>` may stand before a call; `;` or white space stands between several. From the first
character that fits nowhere in that, the answer is plain text.
"""

from typing import Final

from frontend_api.domain.marked_text import may_begin
from frontend_api.domain.tool_calls_base import CallObjectParser, CallRules

TAG: Final = "<|python_tag|>"


class LlamaJsonParser(CallObjectParser):
    """Tells an answer that is calls from one that is text."""

    def __init__(self, rules: CallRules) -> None:
        super().__init__(rules, self._before_call)

    def _before_call(self, text: str, start: int) -> int:
        at = self._past_space(text, start)
        if text.startswith("{", at):
            self._begin_call()
            return at
        if text.startswith(TAG, at):
            self._gap.append(TAG)
            return at + len(TAG)
        if may_begin(text, at, TAG):
            return self._hold(text, at)
        self._step = self._plain
        return at

    def _after_call(self, text: str, start: int) -> int:
        at = self._past_space(text, start)
        if at == len(text):
            return at
        self._step = self._before_call
        if text[at] != ";":
            return at
        self._gap.append(";")
        return at + 1

    def _after_fault(self, text: str, start: int) -> int:
        self._step = self._plain
        return self._plain(text, start)

    def _end_content(self) -> None:
        if self._calls and not self._held and TAG not in self._gap:
            self._gap.clear()  # only separators, after a call
        self._say(self._held)
