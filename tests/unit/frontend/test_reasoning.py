"""Reasoning is told from the answer, however the text was cut."""

import pytest
from hypothesis import given

from frontend_api.domain.answer_pieces import Content, Piece, Reasoning
from frontend_api.domain.reasoning import ReasoningParser
from tests.unit.frontend.parsing import (
    PLACES,
    content_of,
    cut_at,
    cuts,
    longest_held_string,
    pieces_of,
    some_text,
    work_of,
)

THOUGHT = [Reasoning("Say <b> & hi.\n\nThen stop."), Content("Hi  there\n")]
STREAMS = {
    "qwen3": ("<think>\nSay <b> & hi.\n\nThen stop.\n</think>\n\nHi  there\n", False, THOUGHT),
    "block opened by the template": (
        "\nSay <b> & hi.\n\nThen stop.\n</think>\n\nHi  there\n",
        True,
        THOUGHT,
    ),
    "block opened by template and model": (
        "<think>Say <b> & hi.\n\nThen stop.</think>Hi  there\n",
        True,
        THOUGHT,
    ),
    "space before the block": (
        " \n<think>Say <b> & hi.\n\nThen stop. </think> Hi  there\n",
        False,
        THOUGHT,
    ),
    "empty block": ("<think>\n\n</think>\n\nHi", False, [Content("Hi")]),
    "no block": ("\n Hi <thin </thinking> \n", False, [Content("\n Hi <thin </thinking> \n")]),
    "only space": (" \n", False, [Content(" \n")]),
    "tags inside the answer": (
        "Write <think>x</think>.",
        False,
        [Content("Write <think>x</think>.")],
    ),
    "two blocks in a row": (
        "<think>a</think>\n<think>b</think>c",
        False,
        [Reasoning("ab"), Content("c")],
    ),
    "nested block": (
        "<think>a <think>b</think> c</think> d",
        False,
        [Reasoning("a <think>b"), Content("c</think> d")],
    ),
    "stray close at the start": ("</think>\n\nHi", False, [Content("Hi")]),
    "closed twice": ("<think>a</think>\n</think>\nHi", False, [Reasoning("a"), Content("Hi")]),
    "stray close in the answer": (
        "<think>a</think>Hi </think> you",
        False,
        [Reasoning("a"), Content("Hi </think> you")],
    ),
    "unclosed": ("<think>\nLet me see \n", False, [Reasoning("Let me see \n")]),
    "unclosed, opened by the template": ("Let me", True, [Reasoning("Let me")]),
    "cut inside the closing tag": ("<think>Let me\n</thin", False, [Reasoning("Let me\n</thin")]),
    "cut inside the opening tag": (" <thin", False, [Content(" <thin")]),
    "nothing but the tag": ("<think>\n", False, []),
    "empty": ("", False, []),
}


@pytest.mark.parametrize(("text", "starts_inside", "expected"), STREAMS.values(), ids=STREAMS)
def test_every_cut_gives_the_same_pieces(
    text: str, starts_inside: bool, expected: list[Piece]
) -> None:
    for deltas in cuts(text):
        assert pieces_of(ReasoningParser(starts_inside=starts_inside), deltas) == expected, deltas


@given(text=some_text("<think>", "</think>", "<", "</", "\n"), places=PLACES)
def test_any_chunking_gives_the_same_pieces(text: str, places: list[int]) -> None:
    for starts_inside in (False, True):
        whole = pieces_of(ReasoningParser(starts_inside=starts_inside), [text])

        cut = pieces_of(ReasoningParser(starts_inside=starts_inside), cut_at(text, places))

        assert cut == whole


@given(text=some_text("<think", "</think>", "<", "\n"), places=PLACES)
def test_an_answer_that_starts_with_text_is_delivered_to_the_letter(
    text: str, places: list[int]
) -> None:
    deltas = cut_at("Well " + text, places)

    assert content_of(pieces_of(ReasoningParser(), deltas)) == "Well " + text


def test_reasoning_is_delivered_as_it_comes() -> None:
    parser = ReasoningParser()

    pushed = [parser.push(delta) for delta in ("<think>\n", "Let", " me", " see", "\n</", "think>")]

    assert pushed == [[], [Reasoning("Let")], [Reasoning(" me")], [Reasoning(" see")], [], []]


def test_four_times_the_text_is_four_times_the_work() -> None:
    def stream(n: int) -> str:
        return (
            "<think>"
            + "a <b \n" * n
            + "\n" * n
            + "</think>"
            + "<think>b</think>" * n
            + "</think" * n
        )

    small, large = (work_of(ReasoningParser(), list(stream(n))) for n in (200, 800))
    small_whole, large_whole = (work_of(ReasoningParser(), [stream(n)]) for n in (200, 800))

    assert large < 4.2 * small
    assert large_whole < 4.2 * small_whole


def test_no_more_than_part_of_a_marker_is_held() -> None:
    parser = ReasoningParser()
    held = [
        (parser.push(char), longest_held_string(parser))[1] for char in "<think>" + "a </ \n" * 99
    ]

    assert max(held) < len("</think>")
