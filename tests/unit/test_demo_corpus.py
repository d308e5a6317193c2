"""The demo corpus: its format, and the phrasings held out of training."""

from pathlib import Path

import pytest

from scripts.demo.corpus import (
    MIN_PHRASINGS,
    CorpusError,
    Question,
    normalised,
    read_corpus,
    split_corpus,
)

CORPUS = Path(__file__).resolve().parents[2] / "scripts" / "demo" / "corpus"
GOOD = """
topic = "sea"
[[question]]
key = "salt"
ask = ["Why is the sea salty?", "salt in the sea", "what makes the sea salty", "sea salt why"]
answer = "Rivers carry salt to it."
"""


def corpus_in(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def questions(count: int, phrasings: int) -> list[Question]:
    return [
        Question("t", "k", tuple(f"question {n} phrasing {p}" for p in range(phrasings)), f"k {n}")
        for n in range(count)
    ]


def test_a_well_formed_file_is_read(tmp_path: Path) -> None:
    [question] = read_corpus(corpus_in(tmp_path, sea=GOOD))

    assert (question.topic, question.key, len(question.ask)) == ("sea", "salt", 4)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("answer =", "anser ="), "needs exactly"),
        (('"sea salt why"', "7"), "not a list of texts"),
        (('"sea salt why"', '"salt in the SEA!"'), "at least 4 different phrasings"),
        (("Rivers carry salt to it.", "Nobody knows."), "does not contain its key"),
        (("[[question]]", "[question]"), "[[question]]"),
        (("topic =", "topic"), "sea.toml"),
    ],
)
def test_a_broken_file_is_refused_by_name(
    tmp_path: Path, change: tuple[str, str], sentence: str
) -> None:
    folder = corpus_in(tmp_path, sea=GOOD.replace(*change))

    with pytest.raises(CorpusError, match=r"sea\.toml") as error:
        read_corpus(folder)

    assert sentence in str(error.value)


def test_one_phrasing_with_two_answers_is_refused(tmp_path: Path) -> None:
    other = GOOD.replace("Rivers carry salt to it.", "The salt comes from rocks.")

    with pytest.raises(CorpusError, match="different answers"):
        read_corpus(corpus_in(tmp_path, sea=GOOD, rocks=other))


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no questions"):
        read_corpus(tmp_path)


def test_one_phrasing_in_ten_is_held_out() -> None:
    split = split_corpus(questions(count=100, phrasings=7))

    assert len(split.held_out) == 70


def test_a_held_out_phrasing_is_not_trained_on() -> None:
    split = split_corpus(questions(count=30, phrasings=5))

    trained = {ask for question in split.questions for ask in question.ask}
    assert not trained & {held.ask for held in split.held_out}
    assert len(trained) + len(split.held_out) == 30 * 5


def test_the_same_phrasings_are_held_out_every_time() -> None:
    corpus = questions(count=50, phrasings=6)

    assert split_corpus(corpus) == split_corpus(corpus)


def test_no_question_loses_more_than_one_phrasing() -> None:
    split = split_corpus(questions(count=10, phrasings=40))

    assert {len(question.ask) for question in split.questions} == {39}


def test_an_answer_is_right_when_it_has_the_key_in_any_case() -> None:
    held = split_corpus(questions(count=2, phrasings=9)).held_out[0]

    assert held.is_answered_by("The K is here.")
    assert not held.is_answered_by("It is not.")


def test_case_and_punctuation_do_not_make_another_phrasing() -> None:
    assert normalised("What is  Conch?!") == normalised("what is conch")
    assert normalised("??") != normalised("...")


def test_further_wordings_belong_to_the_question_they_name(tmp_path: Path) -> None:
    more = 'topic = "more"\n[[wording]]\nof = "salt in the sea"\nask = ["salty sea"]\n'

    split = split_corpus(read_corpus(corpus_in(tmp_path, sea=GOOD, more=more)))

    [question] = split.questions
    assert question.topic == "sea"
    assert "salty sea" in question.ask


def test_wordings_of_an_unknown_question_are_refused(tmp_path: Path) -> None:
    more = 'topic = "more"\n[[wording]]\nof = "Who are you?"\nask = ["you?"]\n'

    with pytest.raises(CorpusError, match="no question is asked as"):
        read_corpus(corpus_in(tmp_path, sea=GOOD, more=more))


def test_the_shipped_corpus_is_as_large_as_promised() -> None:
    phrasings: dict[str, int] = {}
    for question in read_corpus(CORPUS):
        phrasings[question.answer] = phrasings.get(question.answer, 0) + len(question.ask)

    assert len(phrasings) >= 400
    assert min(phrasings.values()) >= MIN_PHRASINGS
