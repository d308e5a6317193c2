"""Dialogues as token ids, in batches of like length.

Padding costs as much as text, so a pool is sorted by length before it is cut; the
order of the batches is then left to chance.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tokenizers import Tokenizer

from scripts.demo.chance import Chance
from scripts.demo.chat import Turn, render

NOT_LEARNED: Final = -100  # the label that torch's cross entropy leaves out
# Words of fewer letters are one token anyway, or lose their meaning when they are broken.
_LONG_WORD: Final = re.compile(r"[A-Za-z]{5,}")


@dataclass(frozen=True)
class Example:
    """Token ids of a dialogue; labels are the ids to learn, NOT_LEARNED elsewhere."""

    ids: list[int]
    labels: list[int]


@dataclass(frozen=True)
class Batch:
    """Examples side by side, padded at the end: ids and labels are [examples, longest]."""

    ids: list[list[int]]
    labels: list[list[int]]


# What an answer of so few tokens says comes at its end, as the result of a sum does.
_WHOLE_LEN: Final = 12


def encode(
    tokenizer: Tokenizer,
    dialogue: Sequence[Turn],
    max_len: int,
    broken_share: float = 0.0,
    rng: Chance | None = None,
) -> Example:
    """Return the dialogue's tokens, cut at max_len; only the assistant's are labelled.

    broken_share: of the long words that are only read, this share is tokenized in two parts. So
    the model meets a word's parts ("rotat" in "rotating") and not only the whole (BPE-dropout,
    Provilkov et al. 2020, does the same inside the tokenizer).
    """
    ids: list[int] = []
    labels: list[int] = []
    for piece in render(dialogue):
        texts = [piece.text]
        if rng is not None and not piece.is_learned:
            texts = _broken(piece.text, broken_share, rng)
        piece_ids = [token for text in texts for token in tokenizer.encode(text).ids]
        ids += piece_ids
        labels += piece_ids if piece.is_learned else [NOT_LEARNED] * len(piece_ids)
    return Example(ids[:max_len], labels[:max_len])


def shortened(example: Example, learned_len: int) -> Example:
    """Return the example up to its first `learned_len` learned tokens, short answers whole."""
    places = [place for place, label in enumerate(example.labels) if label != NOT_LEARNED]
    if len(places) <= max(learned_len, _WHOLE_LEN):
        return example
    end = places[learned_len]
    return Example(example.ids[:end], example.labels[:end])


def batches(
    examples: Iterable[Example], max_tokens: int, pad_id: int, rng: Chance
) -> Iterator[Batch]:
    """Yield the examples in batches of at most max_tokens, padding included."""
    groups: list[list[Example]] = [[]]
    for example in sorted(examples, key=lambda example: len(example.ids)):
        if groups[-1] and (len(groups[-1]) + 1) * len(example.ids) > max_tokens:
            groups.append([])
        groups[-1].append(example)
    rng.shuffle(groups)
    yield from (_pad(group, pad_id) for group in groups if group)


def _broken(text: str, share: float, rng: Chance) -> list[str]:
    """Return the text in parts, cut inside this share of its long words."""
    # The marks around a turn are no words: they are never cut.
    words = [match for match in _LONG_WORD.finditer(text) if text[match.start() - 1] not in "|_>"]
    cuts = [
        rng.randrange(match.start() + 2, match.end() - 1) for match in words if rng.happens(share)
    ]
    return [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]


def _pad(group: Sequence[Example], pad_id: int) -> Batch:
    longest = max(len(example.ids) for example in group)
    return Batch(
        [example.ids + [pad_id] * (longest - len(example.ids)) for example in group],
        [example.labels + [NOT_LEARNED] * (longest - len(example.labels)) for example in group],
    )
