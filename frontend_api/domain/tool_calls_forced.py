"""Tool calls of an answer that was constrained to be nothing else (`tool_choice`).

Required: the answer is one call object, or a JSON array of them. Named: it is the arguments object
of a function known before. Text that breaks the constraint is given back as content.
"""

from frontend_api.domain.answer_pieces import CallArguments
from frontend_api.domain.json_stream import JsonScanner
from frontend_api.domain.tool_calls_base import CallObjectParser, CallRules, ToolCallParser


class RequiredCallsParser(CallObjectParser):
    """Reads `{"name": …, "arguments": …}` or an array of such objects."""

    def __init__(self, rules: CallRules) -> None:
        super().__init__(rules, self._first)
        self._is_array = False

    def _first(self, text: str, start: int) -> int:
        at = self._past_space(text, start)
        if not text.startswith("[", at):
            return self._item(text, at)
        self._is_array = True
        self._gap.append("[")
        self._step = self._item
        return at + 1

    def _item(self, text: str, start: int) -> int:
        at = self._past_space(text, start)
        if text.startswith("{", at):
            self._begin_call()
        elif at < len(text):
            self._step = self._plain
        return at

    def _after_call(self, text: str, start: int) -> int:
        at = self._past_space(text, start)
        if at == len(text):
            return at
        self._step = self._plain
        if not self._is_array or text[at] not in ",]":
            return at
        self._gap.append(text[at])
        self._step = self._item if text[at] == "," else self._end
        return at + 1

    def _end(self, text: str, start: int) -> int:
        at = self._past_space(text, start)
        if at < len(text):
            self._step = self._plain
        return at

    def _after_fault(self, text: str, start: int) -> int:
        self._step = self._plain
        return self._plain(text, start)

    def _end_content(self) -> None:
        if not self._calls:
            self._say("")


class NamedCallParser(ToolCallParser):
    """Reads the arguments object of one call; `name` is announced at its first brace."""

    def __init__(self, rules: CallRules, name: str) -> None:
        super().__init__(rules, self._first)
        self._name = name
        self._scanner = JsonScanner()

    def _first(self, text: str, start: int) -> int:
        at = self._past_space(text, start)
        if at == len(text):
            return at
        is_call = text[at] == "{" and self._announce(self._name) is not None
        self._malformed += not is_call
        self._is_inside_call = is_call
        self._step = self._arguments if is_call else self._plain
        return at

    def _arguments(self, text: str, start: int) -> int:
        end = self._scanner.scan(text, start)
        if end > start:
            self._out.append(CallArguments(0, text[start:end]))
        if self._scanner.is_over:
            self._malformed += self._scanner.is_failed
            self._is_inside_call = False
            self._step = self._plain if self._scanner.is_failed else self._end
        return end

    def _end(self, text: str, start: int) -> int:
        at = self._past_space(text, start)
        if at < len(text):
            self._step = self._plain
        return at

    def _end_text(self) -> None:
        if not self._calls:
            self._say("")
