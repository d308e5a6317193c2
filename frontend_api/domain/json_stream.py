"""JSON that comes in pieces: where its values begin and end (RFC 8259), checked on the way.

How it works: `JsonScanner.scan` reads forward over one object, runs of characters at a time, and
stops where the object's next part begins, so the caller always knows what it just read: a key, a
value, or what is between them. It fails at the first character that no JSON text could have there,
the same one however the text was cut.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Final

from frontend_api.domain.json_strings import ESCAPES
from frontend_api.domain.marked_text import Step, skip_space

_PLAIN: Final = re.compile(r'[^"\\\x00-\x1f]*')
_CLOSERS: Final = {"{": "}", "[": "]"}
_LITERALS: Final = {"t": "true", "f": "false", "n": "null"}
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_DIGITS: Final = "0123456789"
# A number's grammar: in each state, which characters lead to which state.
_NUMBER: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "start": (("-", "sign"), ("0", "zero"), ("123456789", "integer")),
    "sign": (("0", "zero"), ("123456789", "integer")),
    "zero": ((".", "point"), ("eE", "e")),
    "integer": ((_DIGITS, "integer"), (".", "point"), ("eE", "e")),
    "point": ((_DIGITS, "fraction"),),
    "fraction": ((_DIGITS, "fraction"), ("eE", "e")),
    "e": ((_DIGITS, "exponent"), ("+-", "exponent sign")),
    "exponent sign": ((_DIGITS, "exponent"),),
    "exponent": ((_DIGITS, "exponent"),),
}
_WHOLE_NUMBERS: Final = frozenset({"zero", "integer", "fraction", "exponent"})


class Place(Enum):
    """What the next character belongs to, seen from the outermost object."""

    BETWEEN = "between"
    KEY = "key"
    VALUE = "value"


class JsonScanner:
    """Follows one JSON object through text that comes in pieces, and checks it."""

    def __init__(self) -> None:
        self.place = Place.BETWEEN
        self.is_done = False
        self.is_failed = False
        self._step: Step = self._before_value
        self._takes_space = True
        self._at_string_end: Callable[[], None] = self._end_value
        self._closers: list[str] = []
        self._rest_of_literal = ""
        self._hex_left = 0
        self._number = "start"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be read."""
        return self.is_done or self.is_failed

    def scan(self, text: str, start: int) -> int:
        """Return the end of what was read: all in one place; the object's end; or the fault."""
        place, at = self.place, start
        while at < len(text) and self.place is place and not self.is_over:
            if self._takes_space:
                at = skip_space(text, at)
                if at == len(text):
                    break
            at = self._step(text, at)
        return at

    def _expect(self, step: Step) -> None:
        self._step, self._takes_space = step, True

    def _enter(self, step: Step) -> None:
        self._step, self._takes_space = step, False

    def _fail(self, at: int) -> int:
        self.is_failed = True
        return at

    def _before_value(self, _text: str, at: int) -> int:
        if self._closers == ["}"]:
            self.place = Place.VALUE
        self._enter(self._value)
        return at

    def _value(self, text: str, at: int) -> int:
        char = text[at]
        if char in _CLOSERS:
            self._closers.append(_CLOSERS[char])
            self._expect(self._first_key if char == "{" else self._first_item)
            return at + 1
        if char == '"':
            return self._begin_string(at, self._end_value)
        if char in _LITERALS:
            self._rest_of_literal = _LITERALS[char]
            self._enter(self._literal)
            return at
        self._number = "start"
        self._enter(self._number_char)
        return at

    def _first_key(self, text: str, at: int) -> int:
        return self._close(at) if text[at] == "}" else self._before_key(text, at)

    def _first_item(self, text: str, at: int) -> int:
        return self._close(at) if text[at] == "]" else self._before_value(text, at)

    def _before_key(self, text: str, at: int) -> int:
        if text[at] != '"':
            return self._fail(at)
        if len(self._closers) == 1:
            self.place = Place.KEY
        self._enter(self._key)
        return at

    def _key(self, _text: str, at: int) -> int:
        return self._begin_string(at, self._end_key)

    def _colon(self, text: str, at: int) -> int:
        if text[at] != ":":
            return self._fail(at)
        self._expect(self._before_value)
        return at + 1

    def _after_value(self, text: str, at: int) -> int:
        closer = self._closers[-1]
        if text[at] == closer:
            return self._close(at)
        if text[at] != ",":
            return self._fail(at)
        self._expect(self._before_key if closer == "}" else self._before_value)
        return at + 1

    def _close(self, at: int) -> int:
        self._closers.pop()
        self._end_value()
        return at + 1

    def _end_key(self) -> None:
        if len(self._closers) == 1:
            self.place = Place.BETWEEN
        self._expect(self._colon)

    def _end_value(self) -> None:
        if not self._closers:
            self.is_done = True
            return
        if len(self._closers) == 1:
            self.place = Place.BETWEEN
        self._expect(self._after_value)

    def _begin_string(self, at: int, at_end: Callable[[], None]) -> int:
        self._at_string_end = at_end
        self._enter(self._string)
        return at + 1

    def _string(self, text: str, at: int) -> int:
        run = _PLAIN.match(text, at)
        at = run.end() if run else at
        if at == len(text):
            return at
        if text[at] == '"':
            self._at_string_end()
            return at + 1
        if text[at] == "\\":
            self._enter(self._escape)
            return at + 1
        return self._fail(at)

    def _escape(self, text: str, at: int) -> int:
        if text[at] == "u":
            self._hex_left = 4
            self._enter(self._hex_digit)
            return at + 1
        if text[at] not in ESCAPES:
            return self._fail(at)
        self._enter(self._string)
        return at + 1

    def _hex_digit(self, text: str, at: int) -> int:
        if text[at] not in _HEX:
            return self._fail(at)
        self._hex_left -= 1
        if not self._hex_left:
            self._enter(self._string)
        return at + 1

    def _literal(self, text: str, at: int) -> int:
        if text[at] != self._rest_of_literal[0]:
            return self._fail(at)
        self._rest_of_literal = self._rest_of_literal[1:]
        if not self._rest_of_literal:
            self._end_value()
        return at + 1

    def _number_char(self, text: str, at: int) -> int:
        for chars, state in _NUMBER[self._number]:
            if text[at] in chars:
                self._number = state
                return at + 1
        if self._number not in _WHOLE_NUMBERS:
            return self._fail(at)
        self._end_value()
        return at
