"""The dialogues that the demo model is trained on."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from scripts.demo import generated
from scripts.demo.chance import Chance
from scripts.demo.chat import Turn
from scripts.demo.corpus import Question, Split, normalised, read_corpus, split_corpus
from scripts.demo.dialogues import Dialogues
from scripts.demo.phrasing import Phrasing
from scripts.demo.words import UNSEEN_NAMES

CORPUS = Path(__file__).resolve().parents[2] / "scripts" / "demo" / "corpus"


@pytest.fixture(scope="module")
def split() -> Split:
    return split_corpus(read_corpus(CORPUS))


@pytest.fixture(scope="module")
def pool(split: Split) -> list[list[Turn]]:
    return Dialogues(split, seed=1).pool(0)


def exchanges(dialogue: Sequence[Turn]) -> Iterator[tuple[str, str]]:
    for question, answer in pairwise(dialogue):
        if question.role == "user":
            yield question.text, answer.text


@pytest.mark.slow
def test_the_same_seed_gives_the_same_dialogues(split: Split, pool: list[list[Turn]]) -> None:
    assert Dialogues(split, seed=1).pool(0) == pool
    assert Dialogues(split, seed=1).pool(1) != pool


def test_user_and_assistant_take_turns(pool: list[list[Turn]]) -> None:
    for dialogue in pool:
        roles = [turn.role for turn in dialogue if turn.role != "system"]

        assert roles == ["user", "assistant"] * (len(roles) // 2)


def test_a_system_prompt_is_only_said_first(pool: list[list[Turn]]) -> None:
    places = {place for turns in pool for place, turn in enumerate(turns) if turn.role == "system"}

    assert places == {0}


def test_held_out_phrasings_are_never_answered(split: Split, pool: list[list[Turn]]) -> None:
    held_out = {(normalised(held.ask), held.answer) for held in split.held_out}
    answered = {(normalised(ask), answer) for turns in pool for ask, answer in exchanges(turns)}

    assert not answered & held_out


def test_the_name_recalled_is_the_last_one_told(pool: list[list[Turn]]) -> None:
    recalled = 0
    for dialogue in pool:
        said = [turn.text for turn in dialogue]
        for place, text in enumerate(said):
            if text.startswith("Your name is "):
                recalled += 1
                name = text.removeprefix("Your name is ").removesuffix(".")
                assert any(name in earlier for earlier in said[:place])
    assert recalled > 50


def test_no_name_is_recalled_that_was_not_told(pool: list[list[Turn]]) -> None:
    for dialogue in pool:
        first = next(exchanges(dialogue))

        assert not first[1].startswith("Your name is ")


def test_unseen_names_are_never_told(split: Split) -> None:
    rng = Chance(3)

    assert not {generated.a_name(rng) for _ in range(20_000)} & set(UNSEEN_NAMES)


def test_trained_sums_are_right_and_not_held_out() -> None:
    rng = Chance(4)

    for _ in range(2000):
        left, right, total = (
            int(number) for number in generated.a_sum(rng).answer.replace("=", "+").split("+")
        )
        assert left + right == total
        assert not generated.is_held_out_sum(left, right)


def test_about_one_sum_in_ten_is_held_out_whatever_its_order() -> None:
    assert 30 <= len(generated.held_out_sums()) <= 60
    assert generated.is_held_out_sum(3, 11) == generated.is_held_out_sum(11, 3)


def test_repeated_words_are_the_words_asked_for() -> None:
    rng = Chance(5)

    for _ in range(100):
        exchange = generated.repetition(rng)
        assert exchange.ask.endswith(exchange.answer)


def test_a_phrasing_is_left_as_it_is_when_its_change_is_held_out() -> None:
    ask = "What is the tide?"
    varied = {Phrasing(Chance(n), held_out=[]).vary(ask) for n in range(300)}
    held_out = [text for text in varied if normalised(text) != normalised(ask)]

    kept = {Phrasing(Chance(n), held_out).vary(ask) for n in range(300)}

    assert len(held_out) > 20
    assert {normalised(text) for text in kept} == {normalised(ask)}


def test_key_words_come_from_the_question_in_their_order() -> None:
    question = Question("sea", "salt", ("why is the sea salty", "salt of the sea"), "Salt, see?")

    for seed in range(100):
        words = Phrasing(Chance(seed), []).keywords(question).split()
        assert len(words) >= 2
        assert set(words) <= {"why", "sea", "salty", "salt", "see"}


def test_greetings_in_other_scripts_keep_their_letters() -> None:
    for seed in range(50):
        assert "こんにちは" in Phrasing(Chance(seed), []).vary("こんにちは")
