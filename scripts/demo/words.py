"""The words that generated dialogues and changed phrasings are made of, read from words.toml."""

import tomllib
from pathlib import Path
from typing import Final

_LISTS: Final = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def _words(key: str) -> tuple[str, ...]:
    return tuple(str(word) for word in _LISTS[key])


def _choices(key: str) -> dict[str, tuple[str, ...]]:
    return {word: tuple(others) for word, others in _LISTS[key].items()}


NAMES: Final = _words("names")
UNSEEN_NAMES: Final = _words("unseen_names")  # `evaluation.py` asks for them
SYLLABLES: Final = _words("syllables")
COLOURS: Final = _words("colours")
PLACES: Final = _words("places")
WORDS: Final = _words("words")
UNKNOWN_SUBJECTS: Final = _words("unknown_subjects")

BEFORE: Final = _words("before")
AFTER: Final = _words("after")
SMALL_WORDS: Final = frozenset(_words("small_words"))
OPENINGS: Final = _choices("openings")
SYNONYMS: Final = _choices("synonyms")
