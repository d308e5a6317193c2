"""Light changes to a phrasing, so that the model learns words and not punctuation.

How it works: people type the same question in lower case, with a "please", with
a slip of the finger, or with "launch" for "start". Each kind of change is drawn on
its own and rarely, so most phrasings stay close to what the corpus says. A change
never gives a phrasing that is held out (`Phrasing.vary` checks it).
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from scripts.demo.chance import Chance
from scripts.demo.corpus import Question, normalised
from scripts.demo.words import AFTER, BEFORE, OPENINGS, SMALL_WORDS, SYNONYMS

_LONG_QUESTION: Final = 4  # words; a shorter one keeps them all
_LONG_WORD: Final = 4  # letters; a shorter one has too little left after a slip
_FEWEST_KEYWORDS: Final = 2
_MOST_KEYWORDS: Final = 6
_QUERY_WORD: Final = re.compile(r"[^\W_](?:[\w./-]*\w)?")
_WORD: Final = re.compile(r"[A-Za-z]+")

Change = Callable[[str, Chance], str]


class Phrasing:
    """Varies phrasings with one source of chance, and never says what is held out."""

    def __init__(self, rng: Chance, held_out: Iterable[str]) -> None:
        self._rng = rng
        self._held_out = {normalised(ask) for ask in held_out}

    def keywords(self, question: Question) -> str:
        """Return a few words of the question's phrasings, at times of its answer, in their order.

        This is how people search; it teaches which words belong together.
        """
        texts = self._rng.sample(question.ask, min(3, len(question.ask)))
        if self._rng.happens(0.3):
            texts.append(question.answer)
        words = _QUERY_WORD.findall(" ".join(texts).lower())
        words = [word for word in dict.fromkeys(words) if word not in SMALL_WORDS]
        if len(words) < _FEWEST_KEYWORDS:
            return self.vary(texts[0])
        count = self._rng.randint(_FEWEST_KEYWORDS, min(_MOST_KEYWORDS, len(words)))
        kept = sorted(self._rng.sample(range(len(words)), count))
        query = " ".join(words[place] for place in kept)
        return texts[0] if normalised(query) in self._held_out else query

    def vary(self, ask: str) -> str:
        """Return the phrasing, changed a little; the phrasing itself if that would be held out."""
        varied = ask
        if ask.isascii() and len(ask.split()) > 1:
            for chance, change in _CHANGES:
                if self._rng.random() < chance:
                    varied = change(varied, self._rng)
        varied = _retouch(varied, self._rng)
        return ask if normalised(varied) in self._held_out else varied


def _retouch(text: str, rng: Chance) -> str:
    """Change what the eye skips: case and the sign at the end."""
    if rng.happens(0.3):
        text = text.lower()
    elif rng.happens(0.3):
        text = text[:1].upper() + text[1:]
    elif rng.happens(0.02):
        text = text.upper()
    if rng.happens(0.3):
        text = text.rstrip("?.! ") + rng.choice(("", "?", "?", ".", "!", " ?", "??"))
    return text or "?"


def _reopen(text: str, rng: Chance) -> str:
    for opening, others in OPENINGS.items():
        if text.lower().startswith(opening):
            return rng.choice(others) + text[len(opening) :]
    return text


def _reword(text: str, rng: Chance) -> str:
    words = text.split(" ")
    known = [i for i, word in enumerate(words) if word.lower() in SYNONYMS]
    if known:
        place = rng.choice(known)
        words[place] = rng.choice(SYNONYMS[words[place].lower()])
    return " ".join(words)


def _drop(text: str, rng: Chance) -> str:
    """Leave out one word, a small one if there is one; short questions keep all theirs."""
    words = text.split(" ")
    if len(words) < _LONG_QUESTION:
        return text
    small = [i for i, word in enumerate(words) if word.lower() in SMALL_WORDS]
    del words[rng.choice(small) if small and rng.happens(0.6) else rng.randrange(len(words))]
    return " ".join(words)


def _swap(text: str, rng: Chance) -> str:
    """Put one half of the question before the other, as in "the port, how do I change it"."""
    words = text.rstrip("?.!").split(" ")
    cut = rng.randrange(1, len(words)) if len(words) > 1 else 0
    return " ".join(words[cut:] + words[:cut])


def _slip(text: str, rng: Chance) -> str:
    """Mistype one word: two letters swapped, one left out or one doubled."""
    words = [match for match in _WORD.finditer(text) if len(match.group()) >= _LONG_WORD]
    if not words:
        return text
    match = rng.choice(words)
    at = rng.randrange(match.start() + 1, match.end() - 1)
    slips = (
        text[:at] + text[at + 1] + text[at] + text[at + 2 :],
        text[:at] + text[at + 1 :],
        text[:at] + text[at] + text[at:],
    )
    return rng.choice(slips)


def _open_politely(text: str, rng: Chance) -> str:
    return rng.choice(BEFORE) + text


def _close_politely(text: str, rng: Chance) -> str:
    return text.rstrip("?.! ") + rng.choice(AFTER)


_CHANGES: Final[tuple[tuple[float, Change], ...]] = (
    (0.22, _reopen),
    (0.15, _reword),
    (0.20, _drop),
    (0.05, _swap),
    (0.08, _slip),
    (0.10, _open_politely),
    (0.06, _close_politely),
)
