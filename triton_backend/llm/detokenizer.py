"""Token ids to text, a few at a time; the pieces join to exactly one decode of all ids.

How it works: what can be undecided at the end of a piece depends on the tokenizer's decoder, so
there is one class for each family, chosen from tokenizer.json.
- ByteLevel (GPT-2, Qwen, Llama 3): tokens are bytes; an incremental UTF-8 decoder keeps the
  bytes of a character that is not complete.
- ByteFallback (Llama 2, Gemma, Mistral): tokens are text, but a run of <0xNN> tokens is one
  unit, because the tokenizer prints the whole run as U+FFFD when any part of it is not UTF-8.
- anything else: a window of the last tokens is decoded with and without the new ones, which is
  exact for decoders that only append.
Each id is looked at a bounded number of times: O(n) for n ids.
"""

import codecs
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

# Returns None for ids that print nothing: special tokens and ids outside the vocabulary.
TokenLookup = Callable[[int], str | None]
Decode = Callable[[Sequence[int]], str]
Replacement = tuple[str, str]

_BYTE_TOKEN: Final = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_REPLACEMENT_CHAR: Final = "\ufffd"


class Detokenizer(Protocol):
    """One sequence's way from ids to text."""

    def push(self, ids: Sequence[int]) -> str:
        """The text these new ids complete; "" while a character is still split."""
        ...

    def finish(self) -> str:
        """What is left when no more ids come; U+FFFD only where one decode has it."""
        ...


def _byte_of_char() -> dict[str, int]:
    """GPT-2's map of bytes to printable characters, inverted (openai/gpt-2, src/encoder.py)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(0x100 + index): byte for index, byte in enumerate(others)}


_BYTE_OF_CHAR: Final = _byte_of_char()


def byte_level_bytes(token: str) -> bytes:
    """A ByteLevel token's bytes; a token with any other character stands for itself."""
    try:
        return bytes(_BYTE_OF_CHAR[char] for char in token)
    except KeyError:
        return token.encode("utf-8")


def fallback_bytes(token: str, replacements: Sequence[Replacement]) -> bytes:
    """A ByteFallback token's bytes: the byte it names, or its text."""
    byte = _BYTE_TOKEN.fullmatch(token)
    return bytes((int(byte[1], 16),)) if byte else replaced(token, replacements).encode("utf-8")


def replaced(token: str, replacements: Sequence[Replacement]) -> str:
    """The token with every replacement made."""
    for old, new in replacements:
        token = token.replace(old, new)
    return token


class ByteLevelDetokenizer:
    """For vocabularies of bytes."""

    def __init__(self, token_bytes: Callable[[int], bytes]) -> None:
        self._token_bytes = token_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, ids: Sequence[int]) -> str:
        """Text of the bytes that are complete characters."""
        return self._decoder.decode(b"".join(map(self._token_bytes, ids)))

    def finish(self) -> str:
        """U+FFFD when the sequence ended inside a character."""
        return self._decoder.decode(b"", final=True)


class ByteFallbackDetokenizer:
    """For vocabularies of text with <0xNN> tokens; `strip` leading chars of `strip_char` go."""

    def __init__(
        self, token: TokenLookup, replacements: Sequence[Replacement], strip: tuple[str, int]
    ) -> None:
        self._token = token
        self._replacements = replacements
        self._strip_char, self._strip_left = strip
        self._run = bytearray()

    def push(self, ids: Sequence[int]) -> str:
        """Text up to the last run of byte tokens that is still open."""
        parts: list[str] = []
        for token in filter(None, map(self._token, ids)):
            byte = _BYTE_TOKEN.fullmatch(token)
            if byte:
                self._run.append(int(byte[1], 16))
                continue
            parts.append(self._close_run())
            parts.append(replaced(token, self._replacements))
        return self._strip("".join(parts))

    def finish(self) -> str:
        """The text of an open run."""
        return self._strip(self._close_run())

    def _close_run(self) -> str:
        run, self._run = bytes(self._run), bytearray()
        try:
            return run.decode("utf-8")
        except UnicodeDecodeError:
            return _REPLACEMENT_CHAR * len(run)

    def _strip(self, text: str) -> str:
        while self._strip_left and text:
            if text[0] != self._strip_char:
                self._strip_left = 0
                break
            text = text[1:]
            self._strip_left -= 1
        return text


class WindowDetokenizer:
    """For any other decoder: prints what the new tokens add to a decode of the last few."""

    # Longest wait for a character to complete; four bytes at one token each, with room.
    MAX_PENDING: Final = 16

    def __init__(self, decode: Decode, is_printed: Callable[[int], bool]) -> None:
        self._decode = decode
        self._is_printed = is_printed
        self._context: list[int] = []
        self._pending: list[int] = []

    def push(self, ids: Sequence[int]) -> str:
        """Text the pending tokens add, once it does not end inside a character."""
        return "".join(self._push_one(token_id) for token_id in ids if self._is_printed(token_id))

    def finish(self) -> str:
        """What the pending tokens add, complete or not."""
        return self._flush()

    def _push_one(self, token_id: int) -> str:
        self._pending.append(token_id)
        added = self._added()
        if added.endswith(_REPLACEMENT_CHAR) and len(self._pending) < self.MAX_PENDING:
            return ""
        return self._flush()

    def _added(self) -> str:
        return self._decode(self._context + self._pending)[len(self._decode(self._context)) :]

    def _flush(self) -> str:
        if not self._pending:
            return ""
        added = self._added()
        self._context = (self._context + self._pending)[-self.MAX_PENDING :]
        self._pending = []
        return added


def decoder_steps(decoder: object) -> list[dict[str, object]]:
    """The decoder of tokenizer.json as a flat list of steps."""
    if not isinstance(decoder, dict):
        return []
    nested = decoder.get("decoders")
    if decoder.get("type") == "Sequence" and isinstance(nested, Iterable):
        return [step for inner in nested for step in decoder_steps(inner)]
    return [decoder]
