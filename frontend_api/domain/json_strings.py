"""What a JSON string says, decoded while its text still comes in (RFC 8259, section 7)."""

import re
from typing import Final

ESCAPES: Final = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
# What can be decoded alone. Half a surrogate pair can, once it is certain that no half follows.
_UNIT: Final = re.compile(
    r"""
      [^\\]+
    | \\[^u]
    | \\u(?![dD][89abAB])[0-9a-fA-F]{4}
    | \\u(?P<high>[dD][89abAB][0-9a-fA-F]{2})
      (?: \\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})
        | (?= [^\\] | \\[^u] | \\u(?![dD][c-fC-F])[0-9a-fA-F]{4} ) )
    """,
    re.VERBOSE,
)


class StringDecoder:
    """Turns the scanned text of a JSON string, quotes included, into what it says.

    A surrogate that has no partner becomes U+FFFD, because it cannot be sent as UTF-8.
    """

    def __init__(self) -> None:
        self.pending = ""

    def feed(self, raw: str) -> str:
        """Return what this text completes; an escape cut by its end waits in `pending`."""
        text = self.pending + raw
        said: list[str] = []
        at = 0
        while unit := _UNIT.match(text, at):
            said.append(_decode(unit))
            at = unit.end()
        self.pending = text[at:]
        return "".join(said)


def _decode(unit: re.Match[str]) -> str:
    text, high, low = unit[0], unit["high"], unit["low"]
    if low:
        # How UTF-16 writes a character above U+FFFF (RFC 8259, section 7).
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    if text.startswith("\\u"):
        is_half = text[2] in "dD" and text[3] in "89abcdefABCDEF"
        return "\ufffd" if is_half else chr(int(text[2:], 16))
    if text.startswith("\\"):
        return ESCAPES[text[1]]
    return text.replace('"', "")  # unescaped quotes: only the two around the string
