"""tokenizer.json: text to ids, ids to text, and the detokenizer its decoder needs."""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import tokenizers

from .detokenizer import (
    ByteFallbackDetokenizer,
    ByteLevelDetokenizer,
    Detokenizer,
    Replacement,
    WindowDetokenizer,
    byte_level_bytes,
    decoder_steps,
    fallback_bytes,
)
from .errors import LoadError

FILE_NAME: Final = "tokenizer.json"


class Tokenizer:
    """The tokenizer of one model; safe to share between threads."""

    def __init__(self, tokenizer_json: str) -> None:
        self._tokenizer = tokenizers.Tokenizer.from_str(tokenizer_json)
        # A saved tokenizer may cut or pad; a served prompt is used as it is.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._special = frozenset(
            token_id
            for token_id, token in self._tokenizer.get_added_tokens_decoder().items()
            if token.special
        )
        self.vocab_size: int = self._tokenizer.get_vocab_size(with_added_tokens=True)
        self._decoder = _Decoder(json.loads(tokenizer_json).get("decoder"))
        self._printed_bytes = lru_cache(maxsize=None)(self._token_bytes)

    def encode(self, text: str, *, has_special_tokens: bool) -> list[int]:
        """Ids of the text; `has_special_tokens` adds those of the tokenizer's own template."""
        # encode_batch lets other threads run meanwhile; encode does not.
        encodings = self._tokenizer.encode_batch_fast([text], add_special_tokens=has_special_tokens)
        ids: list[int] = encodings[0].ids
        return ids

    def decode(self, ids: Sequence[int], *, has_special_tokens: bool) -> str:
        """Text of the ids, special tokens printed or left out; unknown ids print nothing."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=not has_special_tokens)
        return text

    def has_id(self, token_id: int) -> bool:
        """Whether the vocabulary has this id."""
        return 0 <= token_id < self.vocab_size or token_id in self._special

    def detokenizer(self) -> Detokenizer:
        """A fresh detokenizer for one sequence; special tokens print nothing."""
        if self._decoder.is_byte_level:
            return ByteLevelDetokenizer(self._printed_bytes)
        if self._decoder.fallback is not None:
            replacements, strip = self._decoder.fallback
            return ByteFallbackDetokenizer(self._token, replacements, strip)
        return WindowDetokenizer(
            lambda ids: self.decode(ids, has_special_tokens=False),
            lambda token_id: self._token(token_id) is not None,
        )

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes this id alone prints: often text, sometimes a part of a character."""
        if self._decoder.is_byte_level:
            return self._printed_bytes(token_id)
        token = self._token(token_id)
        if token is None:
            return b""
        if self._decoder.fallback is not None:
            return fallback_bytes(token, self._decoder.fallback[0])
        return self.decode([token_id], has_special_tokens=False).encode("utf-8")

    def _token(self, token_id: int) -> str | None:
        if token_id in self._special:
            return None
        token: str | None = self._tokenizer.id_to_token(token_id)
        return token

    def _token_bytes(self, token_id: int) -> bytes:
        token = self._token(token_id)
        return b"" if token is None else byte_level_bytes(token)


class _Decoder:
    """Which family tokenizer.json's decoder belongs to, and what that family needs."""

    def __init__(self, decoder: object) -> None:
        steps = decoder_steps(decoder)
        self.is_byte_level = [step.get("type") for step in steps] == ["ByteLevel"]
        self.fallback = _fallback_steps(steps)


def _fallback_steps(
    steps: list[dict[str, object]],
) -> tuple[list[Replacement], tuple[str, int]] | None:
    """Replacements and left strip of Replace*, ByteFallback, Fuse, Strip?; None for others."""
    replacements: list[Replacement] = []
    while steps and steps[0].get("type") == "Replace":
        pattern, content = steps[0].get("pattern"), steps[0].get("content")
        old = pattern.get("String") if isinstance(pattern, dict) else None
        if not isinstance(old, str) or not isinstance(content, str):
            return None
        replacements.append((old, content))
        steps = steps[1:]
    kinds = [step.get("type") for step in steps]
    if kinds == ["ByteFallback", "Fuse"]:
        return replacements, (" ", 0)
    if kinds != ["ByteFallback", "Fuse", "Strip"] or steps[2].get("stop"):
        return None
    content, start = steps[2].get("content"), steps[2].get("start")
    if not isinstance(content, str) or not isinstance(start, int):
        return None
    return replacements, (content, start)


def open_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer in a version folder; LoadError when it is missing or broken."""
    path = folder / FILE_NAME
    try:
        return Tokenizer(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LoadError(f"{folder.parent.name}: {FILE_NAME} is missing.") from None
    except Exception as error:  # the library raises plain Exception
        raise LoadError(f"{folder.parent.name}: {FILE_NAME} cannot be read: {error}.") from error
