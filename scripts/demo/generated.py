"""Dialogues made by rules: what no list of questions can teach.

A name or a fact told earlier in the conversation, sums of small numbers, words to
repeat, and subjects the model has to say it does not know. One sum in ten and the
names of UNSEEN_NAMES are never trained on, so that they can test the finished model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scripts.demo.chance import Chance
from scripts.demo.words import (
    COLOURS,
    NAMES,
    PLACES,
    SYLLABLES,
    UNKNOWN_SUBJECTS,
    UNSEEN_NAMES,
    WORDS,
)

LARGEST_ADDEND: Final = 20
HELD_OUT_SUMS: Final = 10  # one sum in about this many

NAME_TOLD: Final = (
    "My name is {}.", "I am {}.", "I'm {}.", "Call me {}.", "You can call me {}", "my name is {}",
    "Hi, I am {}!", "Hello, my name is {}.", "Hello! I'm {}", "{} is my name.", "i am {}",
    "They call me {}.", "Please remember that my name is {}.", "The name is {}.", "It's {} here.",
    "hey, {} here", "My name is {}, and yours?", "I am called {}", "Nice to meet you, I am {}.",
    "Hi! My name is {}. How are you?", "my friends call me {}", "Remember my name: {}.",
)  # fmt: skip
NAME_GREETED: Final = (
    "Nice to meet you, {}! 👋",
    "Hello {}! How can I help you?",
    "Hello, {}! What would you like to know about Conch?",
)
NAME_ASKED: Final = (
    "What is my name?", "What's my name?", "Do you remember my name?", "Who am I?", "whats my name",
    "Tell me my name.", "Can you tell me my name?", "What am I called?", "Say my name", "my name?",
    "What was my name again?", "do you know my name", "what did I say my name was",
    "How am I called?",
    "Do you still know who I am?", "remember my name?", "What name did I give you?",
    "and what is my name", "Please tell me what my name is.", "I forgot my name, what is it?",
)  # fmt: skip
NAME_RECALLED: Final = "Your name is {}."

_SUMS: Final = (
    "What is {} + {}?", "What is {} plus {}?", "{} + {}", "{}+{}", "{} + {} = ?", "{}+{}=",
    "How much is {} + {}?", "how much is {} plus {}", "Add {} and {}", "what's {} + {}",
    "what's {} plus {}?", "Calculate {} + {}", "Compute {} + {}.", "sum of {} and {}",
    "{} plus {}", "Can you add {} and {}?", "What do {} and {} make?", "please add {} to {}",
    "what does {} + {} equal", "Tell me {} + {}",
)  # fmt: skip


@dataclass(frozen=True)
class Exchange:
    """A question of the user and the answer to learn."""

    ask: str
    answer: str


@dataclass(frozen=True)
class Fact:
    """Something a user may tell and ask for later; `{}` stands for its value."""

    told: tuple[str, ...]
    noted: str
    asked: tuple[str, ...]
    recalled: str
    values: Sequence[str]


FACTS: Final = (
    Fact(
        ("My favourite colour is {}.", "I like the colour {} best", "my favorite color is {}"),
        "{} is a nice colour. I will remember it.",
        ("What is my favourite colour?", "which colour do I like", "what's my favorite color"),
        "Your favourite colour is {}.",
        COLOURS,
    ),
    Fact(
        ("I live in {}.", "My home is {}", "I am from {}.", "i come from {}"),
        "I will remember that you live in {}.",
        ("Where do I live?", "where am I from", "which city do I live in", "Where is my home?"),
        "You live in {}.",
        PLACES,
    ),
    Fact(
        ("Remember the word {}.", "Please remember this word: {}", "the secret word is {}"),
        "I will remember the word {}.",
        ("What was the word?", "which word should you remember", "Tell me the secret word."),
        "The word was {}.",
        WORDS,
    ),
    Fact(
        ("My dog is called {}.", "I have a dog named {}", "the name of my dog is {}"),
        "{} is a good name for a dog. 🐶",
        ("What is my dog called?", "what's the name of my dog", "do you remember my dog's name"),
        "Your dog is called {}.",
        NAMES,
    ),
)

_REPEAT: Final = (
    "Repeat after me: {}", "Say {}", "Repeat: {}", "Please repeat {}", "say this: {}",
    "Echo {}", "Repeat the words {}", "write {}", "Print {}",
)  # fmt: skip

_UNKNOWN: Final = (
    "What is {}?", "Tell me about {}", "Who invented {}?", "explain {}", "How does {} work?",
    "What do you know about {}?", "why is {} important", "where can I buy {}", "history of {}",
    "Is {} good for me?", "how much does {} cost", "who likes {}", "I want to learn about {}",
)  # fmt: skip
_NOT_KNOWN: Final = "I do not know about {}. I am a small model that only knows Conch."


def is_held_out_sum(left: int, right: int) -> bool:
    """Tell whether this sum, in either order, is kept out of training: about one in ten."""
    low, high = sorted((left, right))
    return (low * 31 + high * 17) % HELD_OUT_SUMS == 0


def held_out_sums() -> list[Exchange]:
    """Return every sum that training never sees, asked once."""
    addends = range(LARGEST_ADDEND + 1)
    return [
        Exchange(f"What is {left} + {right}?", str(left + right))
        for left in addends
        for right in addends
        if is_held_out_sum(left, right)
    ]


def a_sum(rng: Chance) -> Exchange:
    """Return a sum that may be trained on."""
    while True:
        left, right = rng.randint(0, LARGEST_ADDEND), rng.randint(0, LARGEST_ADDEND)
        if not is_held_out_sum(left, right):
            ask = rng.choice(_SUMS).format(left, right)
            return Exchange(ask, f"{left} + {right} = {left + right}")


def a_name(rng: Chance) -> str:
    """Return a name to train on: a real one or, as often, one made of syllables."""
    if rng.happens(0.45):
        return rng.choice(NAMES)
    name = "".join(rng.choice(SYLLABLES) for _ in range(rng.choice((1, 2, 2, 3)))).capitalize()
    return a_name(rng) if name in UNSEEN_NAMES else name


def told_name(name: str, rng: Chance) -> Exchange:
    """Return how a user gives a name and is greeted by it."""
    written = name.lower() if rng.happens(0.08) else name
    return Exchange(rng.choice(NAME_TOLD).format(written), rng.choice(NAME_GREETED).format(written))


def asked_name(name: str, rng: Chance) -> Exchange:
    """Return how a user asks for the name told before."""
    return Exchange(rng.choice(NAME_ASKED), NAME_RECALLED.format(name))


def told_fact(fact: Fact, value: str, rng: Chance) -> Exchange:
    """Return how a user tells the fact."""
    noted = fact.noted.format(value)
    return Exchange(rng.choice(fact.told).format(value), noted[:1].upper() + noted[1:])


def asked_fact(fact: Fact, value: str, rng: Chance) -> Exchange:
    """Return how a user asks for the fact told before."""
    return Exchange(rng.choice(fact.asked), fact.recalled.format(value))


def repetition(rng: Chance) -> Exchange:
    """Return words to repeat as they are."""
    makers = (lambda: rng.choice(WORDS), lambda: a_name(rng), lambda: str(rng.randint(0, 999)))
    words = " ".join(rng.choice(makers)() for _ in range(rng.randint(1, 5)))
    return Exchange(rng.choice(_REPEAT).format(words), words)


def unknown(rng: Chance) -> Exchange:
    """Return a question about something the model has to say it does not know."""
    subject = rng.choice(UNKNOWN_SUBJECTS) if rng.happens(0.8) else a_name(rng)
    return Exchange(rng.choice(_UNKNOWN).format(subject), _NOT_KNOWN.format(subject))
