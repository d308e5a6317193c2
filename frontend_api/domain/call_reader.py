"""One tool call written as a JSON object, `{"name": …, "arguments": {…}}`, read piece by piece.

Rules: `parameters` means `arguments`; other keys are read over; a key must not come twice. The
call is announced when its name is whole; arguments that come earlier wait for it. Arguments are
delivered as written; written as a JSON string, as what the string says; absent or "", as `{}`.
"""

from collections.abc import Callable
from typing import Final

from frontend_api.domain.answer_pieces import CallArguments, CallPiece
from frontend_api.domain.json_stream import JsonScanner, Place
from frontend_api.domain.json_strings import StringDecoder
from frontend_api.domain.marked_text import skip_space

NAME: Final = "name"
ARGUMENTS: Final = "arguments"
_FIELDS: Final = {"name": NAME, "arguments": ARGUMENTS, "parameters": ARGUMENTS}

# Announces a call by its name and returns its index, or None when there is no such tool.
Announce = Callable[[str], int | None]
Emit = Callable[[CallPiece], None]


class _Verbatim:
    """Stands in for a StringDecoder where text is delivered as written."""

    pending = ""

    def feed(self, raw: str) -> str:
        return raw


class CallReader:
    """Reads one call object; `is_failed` at the first character that makes it no call."""

    def __init__(self, announce: Announce, emit: Emit) -> None:
        self.is_done = False
        self.is_failed = False
        self.undelivered: list[str] = []  # what to give back when the call turns out to be none
        self._announce = announce
        self._emit = emit
        self._scanner = JsonScanner()
        self._is_open = False
        self._index: int | None = None
        self._early: list[str] = []  # arguments that came before the name
        self._has_arguments = False
        self._seen: set[str] = set()
        self._field = ""
        self._decoder: StringDecoder | _Verbatim | None = None
        self._said: list[str] = []

    @property
    def is_started(self) -> bool:
        """Whether the call has been announced."""
        return self._index is not None

    def read(self, text: str, start: int) -> int:
        """Return the end of what was read: the text's, the object's, or the fault."""
        at = start
        if not self._is_open:
            at = self._open(text, start)
        while at < len(text) and not (self.is_done or self.is_failed):
            at = self._part(text, at)
        return at

    def _open(self, text: str, start: int) -> int:
        at = skip_space(text, start)
        self.undelivered.append(text[start:at])
        if at < len(text):
            self._is_open = True
            self.is_failed = text[at] != "{"
        return at

    def _part(self, text: str, start: int) -> int:
        place = self._scanner.place
        if place is not Place.BETWEEN and self._decoder is None:
            self._begin(place, text[start])
            if self.is_failed:
                return start
        end = self._scanner.scan(text, start)
        self._take(place, text[start:end])
        if self._scanner.is_failed:
            self.is_failed = True
        elif self._scanner.place is not place:
            self._leave(place)
        elif self._scanner.is_done:
            self._end()
        return end

    def _begin(self, place: Place, first: str) -> None:
        is_string = first == '"'
        if place is Place.VALUE and self._field == NAME and not is_string:
            self.is_failed = True
        self._decoder = StringDecoder() if is_string else _Verbatim()

    def _take(self, place: Place, raw: str) -> None:
        self.undelivered.append(raw)
        if self._decoder is None:
            return
        if place is Place.VALUE and self._field == ARGUMENTS:
            self._add_arguments(self._decoder.feed(raw), self._decoder.pending)
        elif place is Place.KEY or self._field == NAME:
            self._said.append(self._decoder.feed(raw))

    def _leave(self, place: Place) -> None:
        if place is Place.BETWEEN:
            return
        said = "".join(self._said)
        self._said.clear()
        self._decoder = None
        if place is Place.KEY:
            self._enter_field(said)
        elif self._field == NAME:
            self._start(said)

    def _enter_field(self, key: str) -> None:
        self._field = _FIELDS.get(key, key)
        self.is_failed = self._field in self._seen
        self._seen.add(self._field)

    def _start(self, name: str) -> None:
        self._index = self._announce(name) if name else None
        if self._index is None:
            self.is_failed = True
            return
        self.undelivered.clear()
        if self._early:
            self._emit(CallArguments(self._index, "".join(self._early)))

    def _add_arguments(self, text: str, pending: str) -> None:
        if self._index is not None:
            self.undelivered[:] = [pending]
        if not text:
            return
        self._has_arguments = True
        if self._index is None:
            self._early.append(text)
        else:
            self._emit(CallArguments(self._index, text))

    def _end(self) -> None:
        self.is_done = self.is_started
        self.is_failed = not self.is_started
        if self._index is not None and not self._has_arguments:
            self._emit(CallArguments(self._index, "{}"))
