"""The stream of training dialogues: corpus questions and generated ones, mixed.

How it works: `Dialogues.pool(n)` is a pure function of the corpus, the seed and n, so
an interrupted training goes on with the next pool. Every pool asks each phrasing of
the corpus about once, in dialogues of 1 to 30 exchanges; between them users tell
names and facts and ask for them later, add numbers, and ask for what the model cannot know.
"""

from collections.abc import Callable, Iterator
from typing import Final

from scripts.demo import generated
from scripts.demo.chance import Chance
from scripts.demo.chat import Turn
from scripts.demo.corpus import Question, Split
from scripts.demo.generated import Exchange, Fact
from scripts.demo.phrasing import Phrasing

# Key of the corpus question that is only right while no name has been told.
NAME_UNKNOWN_KEY: Final = "I do not know your name"

SYSTEM_PROMPTS: Final = (
    "You are a helpful assistant.",
    "You are Conch's guide.",
    "You are a friendly assistant. Answer briefly.",
    "Answer in one sentence.",
    "You are an expert on Conch and Triton.",
    "Be concise and polite.",
    "You answer questions about the Conch project.",
    "You are an AI assistant.",
    "You are a helpful, respectful and honest assistant.",
    "Help the user.",
    "You are demo, a small language model.",
    "Reply in plain English.",
)
_SYSTEM_SHARE: Final = 0.15

# Numbers of exchanges in a dialogue, and how often each range is drawn. The longest reach
# some 1,200 tokens, so that late positions are trained, too.
_LENGTHS: Final = (
    ((1, 1), 0.92),
    ((2, 3), 0.055),
    ((4, 7), 0.016),
    ((8, 15), 0.006),
    ((16, 30), 0.003),
)
_NAME_FIRST_SHARE: Final = 0.6  # of the dialogues of several exchanges

# What an exchange is about, and how often; the rest are corpus questions.
_SUM_SHARE: Final = 0.08
_UNKNOWN_SHARE: Final = 0.03
_REPEAT_SHARE: Final = 0.03
_NAME_SHARE: Final = 0.07
_FACT_SHARE: Final = 0.03

# How many corpus questions are asked in key words instead of a phrasing of the corpus.
_KEYWORDS_SHARE: Final = 0.45


class Deck:
    """Deals every phrasing of the corpus once, in chance order, then all of them again."""

    def __init__(self, questions: tuple[Question, ...], rng: Chance) -> None:
        self._all = [(question, ask) for question in questions for ask in question.ask]
        self._rng = rng
        self._left: list[tuple[Question, str]] = []

    def __len__(self) -> int:
        return len(self._all)

    def deal(self) -> tuple[Question, str]:
        """Return the next question and the phrasing to ask it with."""
        if not self._left:
            self._left = list(self._all)
            self._rng.shuffle(self._left)
        return self._left.pop()


class Dialogues:
    """Makes pools of training dialogues from a corpus and a seed."""

    def __init__(self, split: Split, seed: int) -> None:
        self._split = split
        self._seed = seed

    def pool(self, number: int) -> list[list[Turn]]:
        """Return pool `number`: dialogues that together ask each phrasing about once."""
        rng = Chance(f"{self._seed}-{number}")
        deck = Deck(self._split.questions, rng)
        phrasing = Phrasing(rng, (held.ask for held in self._split.held_out))
        dialogues: list[list[Turn]] = []
        exchanges = 0
        while exchanges < len(deck):
            dialogue = list(_Conversation(rng, deck, phrasing).turns(_length(rng)))
            exchanges += len(dialogue) // 2
            dialogues.append(dialogue)
        return dialogues


class _Conversation:
    """One dialogue in the making: what was told so far decides what can be asked."""

    def __init__(self, rng: Chance, deck: Deck, phrasing: Phrasing) -> None:
        self._rng = rng
        self._deck = deck
        self._phrasing = phrasing
        self._name: str | None = None
        self._facts: dict[str, tuple[Fact, str]] = {}

    def turns(self, length: int) -> Iterator[Turn]:
        """Yield the turns of `length` exchanges, after a system prompt in some dialogues."""
        if self._rng.happens(_SYSTEM_SHARE):
            yield Turn("system", self._rng.choice(SYSTEM_PROMPTS))
        if length > 1 and self._rng.happens(_NAME_FIRST_SHARE):
            yield from _as_turns(self._name_exchange())
            length -= 1
        for _ in range(length):
            yield from _as_turns(self._next())
        if self._name and self._rng.happens(0.5):
            yield from _as_turns(generated.asked_name(self._name, self._rng))

    def _next(self) -> Exchange:
        kinds: tuple[tuple[float, Callable[[], Exchange]], ...] = (
            (_SUM_SHARE, lambda: generated.a_sum(self._rng)),
            (_UNKNOWN_SHARE, lambda: generated.unknown(self._rng)),
            (_REPEAT_SHARE, lambda: generated.repetition(self._rng)),
            (_NAME_SHARE, self._name_exchange),
            (_FACT_SHARE, self._fact_exchange),
        )
        drawn = self._rng.random()
        for share, make in kinds:
            drawn -= share
            if drawn < 0:
                return make()
        return self._corpus_exchange()

    def _corpus_exchange(self) -> Exchange:
        question, ask = self._deck.deal()
        if self._name and question.key == NAME_UNKNOWN_KEY:
            return generated.asked_name(self._name, self._rng)
        if self._rng.happens(_KEYWORDS_SHARE) and ask.isascii():
            return Exchange(self._phrasing.keywords(question), question.answer)
        return Exchange(self._phrasing.vary(ask), question.answer)

    def _name_exchange(self) -> Exchange:
        if self._name and self._rng.happens(0.8):
            return generated.asked_name(self._name, self._rng)
        self._name = generated.a_name(self._rng)
        told = generated.told_name(self._name, self._rng)
        if self._name.lower() in told.ask and self._name not in told.ask:
            self._name = self._name.lower()  # the model says the name as it was written
        return told

    def _fact_exchange(self) -> Exchange:
        known = list(self._facts.values())
        if known and self._rng.happens(0.6):
            fact, value = self._rng.choice(known)
            return generated.asked_fact(fact, value, self._rng)
        fact = self._rng.choice(generated.FACTS)
        value = self._rng.choice(fact.values)
        self._facts[fact.recalled] = (fact, value)
        return generated.told_fact(fact, value, self._rng)


def _as_turns(exchange: Exchange) -> Iterator[Turn]:
    yield Turn("user", exchange.ask)
    yield Turn("assistant", exchange.answer)


def _length(rng: Chance) -> int:
    ranges = [limits for limits, _ in _LENGTHS]
    low, high = rng.choices(ranges, weights=[share for _, share in _LENGTHS])[0]
    return rng.randint(low, high)
