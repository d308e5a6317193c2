"""Raw text as server-sent events: whatever the model writes, the framing holds."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend_api.web.original_events import TextFrames, error_frame, unmistakable


def data_of(stream: bytes) -> list[str]:
    """Return the data of each event, as WHATWG HTML 9.2.6 says how to read them."""
    blocks = stream.decode().removesuffix("\n\n").split("\n\n") if stream else []
    return [
        "\n".join(line.removeprefix("data:").removeprefix(" ") for line in block.split("\n"))
        for block in blocks
    ]


def framed(*pieces: str) -> bytes:
    frames = TextFrames()
    return b"".join([*map(frames.push, pieces), frames.end()])


@given(st.text(alphabet="ab \r\n:é_", max_size=30), st.lists(st.integers(0, 30), max_size=5))
def test_the_joined_events_are_the_text_wherever_it_was_cut(text: str, cuts: list[int]) -> None:
    bounds = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})

    stream = framed(*(text[a:b] for a, b in pairwise(bounds)))

    assert "".join(data_of(stream)) == re.sub(r"\r\n?", "\n", text)


def test_a_newline_becomes_one_data_line_for_each_line_of_text() -> None:
    assert framed("a\nb") == b"data: a\ndata: b\n\n"


def test_a_leading_space_survives_the_one_that_readers_drop() -> None:
    assert data_of(framed(" a")) == [" a"]


def test_an_empty_piece_is_no_event() -> None:
    assert framed("", "a", "") == b"data: a\n\n"


def test_an_error_of_several_lines_is_one_event() -> None:
    assert data_of(error_frame("a\nb")) == ["__ERROR__:a\nb"]


@pytest.mark.parametrize("text", ["__ERROR__", "__ERROR__:no"])
def test_generated_text_is_never_taken_for_an_error(text: str) -> None:
    frames = unmistakable(text)

    assert "".join(frames) == text
    assert not any(frame.startswith("__ERROR__") for frame in frames)
    assert data_of(framed(text)) == list(frames)
