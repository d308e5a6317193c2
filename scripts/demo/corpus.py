"""The demo corpus: questions in TOML files, several phrasings and one answer each.

Further wordings of a question may stand in [[wording]] tables, which name it by any of
its phrasings (`of`).
One phrasing in ten is held out of training, always the same ones: it tells
whether the model understood the question or only remembers its wording.
"""

import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

MIN_PHRASINGS: Final = 4
HELD_OUT_SHARE: Final = 10  # one phrasing in this many
_FIELDS: Final = {"key", "ask", "answer"}
_WORDING_FIELDS: Final = {"of", "ask"}


class CorpusError(Exception):
    """A corpus file breaks the format; the message names the file and the question."""


@dataclass(frozen=True)
class Question:
    """One thing the model knows: `key` is in every right answer, whatever its case."""

    topic: str
    key: str
    ask: tuple[str, ...]
    answer: str


@dataclass(frozen=True)
class HeldOut:
    """A phrasing kept out of training; an answer is right when it contains the key."""

    topic: str
    ask: str
    key: str
    answer: str

    def is_answered_by(self, text: str) -> bool:
        """Tell whether the text contains the key, whatever its case."""
        return self.key.casefold() in text.casefold()


@dataclass(frozen=True)
class Split:
    """The corpus as training sees it, and the phrasings it never sees."""

    questions: tuple[Question, ...]
    held_out: tuple[HeldOut, ...]


def read_corpus(folder: Path) -> list[Question]:
    """Return the questions of all TOML files of the folder, then their further wordings.

    Raises CorpusError on a wrong field, on too few phrasings, on an answer
    without its key, and on a phrasing that two questions share.
    """
    contents = [(path.name, _load(path)) for path in sorted(folder.glob("*.toml"))]
    questions = [question for name, content in contents for question in _questions(name, content)]
    if not questions:
        raise CorpusError(f"{folder}: no questions found.")
    known = {normalised(ask): question for question in questions for ask in question.ask}
    for name, content in contents:
        for wording in _wordings(name, content, known):
            questions.append(wording)
            known.update((normalised(ask), wording) for ask in wording.ask)
    _refuse_shared_phrasings(questions)
    return questions


def split_corpus(questions: Sequence[Question]) -> Split:
    """Hold out one phrasing in ten, at most one of each table, the same ones every time."""
    kept: list[Question] = []
    held_out: list[HeldOut] = []
    due = 0
    for question in questions:
        due += len(question.ask)
        if due < HELD_OUT_SHARE:
            kept.append(question)
            continue
        due -= HELD_OUT_SHARE
        ask = min(question.ask, key=_fingerprint)
        held_out.append(HeldOut(question.topic, ask, question.key, question.answer))
        kept.append(replace(question, ask=tuple(a for a in question.ask if a != ask)))
    return Split(tuple(_merged(kept)), tuple(held_out))


def normalised(phrasing: str) -> str:
    """Return the phrasing without case and punctuation, to find out that two are the same."""
    kept = (char if char.isalnum() else " " for char in phrasing.casefold())
    return " ".join("".join(kept).split()) or phrasing


def _merged(questions: Iterable[Question]) -> Iterable[Question]:
    """Return each question once, with the further wordings among its phrasings."""
    merged: dict[tuple[str, str], Question] = {}
    for question in questions:
        first = merged.get((question.key, question.answer))
        ask = (*first.ask, *question.ask) if first else question.ask
        merged[question.key, question.answer] = replace(first or question, ask=ask)
    return merged.values()


def _load(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path.name}: {error}") from error


def _tables(name: str, content: dict[str, object], key: str) -> list[dict[str, object]]:
    tables = content.get(key, [])
    if not isinstance(tables, list) or set(content) - {"topic", "question", "wording"}:
        raise CorpusError(f'{name}: holds topic = "…", [[question]] and [[wording]] only.')
    return tables


def _questions(name: str, content: dict[str, object]) -> Iterator[Question]:
    topic = content.get("topic")
    if not isinstance(topic, str):
        raise CorpusError(f'{name}: needs topic = "…".')
    for number, entry in enumerate(_tables(name, content, "question"), start=1):
        yield _question(topic, entry, where=f"{name}, question {number}")


def _wordings(
    name: str, content: dict[str, object], known: dict[str, Question]
) -> Iterator[Question]:
    for number, entry in enumerate(_tables(name, content, "wording"), start=1):
        where = f"{name}, wording {number}"
        of, ask = entry.get("of"), entry.get("ask")
        if set(entry) != _WORDING_FIELDS or not isinstance(of, str):
            raise CorpusError(f"{where}: needs exactly the text of and the list ask.")
        if normalised(of) not in known:
            raise CorpusError(f"{where}: no question is asked as {of!r}.")
        yield replace(known[normalised(of)], ask=_phrasings(ask, where))


def _phrasings(ask: object, where: str) -> tuple[str, ...]:
    if not isinstance(ask, list) or not all(isinstance(phrasing, str) for phrasing in ask):
        raise CorpusError(f"{where}: ask is not a list of texts.")
    return tuple(phrasing.strip() for phrasing in ask)


def _question(topic: str, entry: dict[str, object], where: str) -> Question:
    key, answer = entry.get("key"), entry.get("answer")
    if set(entry) != _FIELDS or not isinstance(key, str) or not isinstance(answer, str):
        raise CorpusError(f"{where}: needs exactly the texts key and answer and the list ask.")
    ask = _phrasings(entry.get("ask"), where)
    if len({normalised(phrasing) for phrasing in ask}) < MIN_PHRASINGS:
        raise CorpusError(f"{where}: needs at least {MIN_PHRASINGS} different phrasings.")
    if key.casefold() not in answer.casefold():
        raise CorpusError(f"{where}: the answer does not contain its key {key!r}.")
    return Question(topic, key, ask, answer.strip())


def _refuse_shared_phrasings(questions: Iterable[Question]) -> None:
    owners: dict[str, Question] = {}
    for question in questions:
        for phrasing in question.ask:
            owner = owners.setdefault(normalised(phrasing), question)
            if owner is not question and owner.answer != question.answer:
                raise CorpusError(
                    f"{phrasing!r} is asked in {owner.topic} and in {question.topic}"
                    " with different answers."
                )


def _fingerprint(phrasing: str) -> bytes:
    return hashlib.sha256(phrasing.encode()).digest()
