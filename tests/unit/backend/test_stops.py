"""Stop strings across deltas."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triton_backend.llm.stops import StopFinder

SMALL_TEXT = st.text(alphabet="ab\u00e9\U0001f41a", max_size=24)
SMALL_STOP = st.text(alphabet="ab\u00e9\U0001f41a", min_size=1, max_size=4)


def run(stops: list[str], pieces: list[str]) -> tuple[list[str], str | None]:
    finder = StopFinder(stops)
    out: list[str] = []
    for piece in pieces:
        match = finder.push(piece)
        out.append(match.text)
        if match.stop is not None:
            return out, match.stop
    return [*out, finder.finish()], None


def first_match(text: str, stops: list[str]) -> tuple[str, str | None]:
    """The rule itself: the stop string that ends first wins, the longest of those."""
    ends = [(text.index(stop) + len(stop), -len(stop), stop) for stop in stops if stop in text]
    if not ends:
        return text, None
    end, _, stop = min(ends)
    return text[: end - len(stop)], stop


def test_stop_string_is_found_at_every_split_point() -> None:
    text = "One, two.<END>three"

    for cut in range(len(text) + 1):
        out, stop = run(["<END>"], [text[:cut], text[cut:]])

        assert ("".join(out), stop) == ("One, two.", "<END>")


def test_stop_string_is_found_one_character_at_a_time() -> None:
    out, stop = run(["\n\nUser:"], list("Hi\n\n\nUser: more"))

    assert ("".join(out), stop) == ("Hi\n", "\n\nUser:")


def test_part_of_a_stop_string_is_held_until_it_is_none() -> None:
    finder = StopFinder(["<END>"])

    assert finder.push("a<EN").text == "a"
    assert finder.push("T").text == "<ENT"


def test_held_part_leaves_when_the_text_ends() -> None:
    finder = StopFinder(["<END>"])

    assert finder.push("a<EN").text == "a"
    assert finder.finish() == "<EN"


def test_text_without_first_characters_passes_at_once() -> None:
    assert StopFinder(["<END>"]).push("plain text").text == "plain text"


def test_longer_stop_string_that_ends_at_the_same_place_wins() -> None:
    out, stop = run(["b", "aab"], ["xaab"])

    assert ("".join(out), stop) == ("x", "aab")


@given(text=SMALL_TEXT, stops=st.lists(SMALL_STOP, min_size=1, max_size=3), cuts=st.data())
def test_any_splitting_gives_what_the_whole_text_gives(
    text: str, stops: list[str], cuts: st.DataObject
) -> None:
    places = sorted(cuts.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    bounds = [0, *places, len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(bounds)]

    out, stop = run(stops, pieces)

    assert ("".join(out), stop) == first_match(text, stops)


@pytest.mark.parametrize("length", [2_000, 20_000])
def test_work_grows_with_the_text_and_not_faster(length: int) -> None:
    finder = StopFinder(["a" * 500 + "b"])

    for _ in range(length):
        assert finder.push("a").stop is None

    assert len(finder.finish()) == 500
