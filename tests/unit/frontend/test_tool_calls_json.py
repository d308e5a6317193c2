"""The JSON scanner agrees with Python's json, however the text was cut."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend_api.domain.json_stream import JsonScanner, Place
from frontend_api.domain.json_strings import StringDecoder
from tests.unit.frontend.parsing import PLACES, cut_at, cuts

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Half a surrogate pair has no UTF-8 form: no model can write one.
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


def scanned(deltas: list[str]) -> tuple[str, JsonScanner]:
    """Return what a scanner read of these deltas, and the scanner."""
    scanner, read = JsonScanner(), ""
    for delta in deltas:
        at = 0
        while at < len(delta) and not scanner.is_over:
            end = scanner.scan(delta, at)
            read += delta[at:end]
            at = end
    return read, scanner


def is_json(text: str) -> bool:
    """Say whether Python's json takes it; it also takes NaN and Infinity, which JSON has not."""

    def refuse(_: str) -> None:
        raise ValueError

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError:
        return False
    return True


@given(value=VALUES, indent=st.none() | st.integers(0, 2), is_ascii=st.booleans(), places=PLACES)
def test_any_json_value_is_read_to_its_end(
    value: object, indent: int | None, is_ascii: bool, places: list[int]
) -> None:
    text = json.dumps({"x": value}, indent=indent, ensure_ascii=is_ascii)

    read, scanner = scanned(cut_at(text + "after", places))

    assert scanner.is_done
    assert read == text


PARTS = ("{", "}", "[", "]", ",", ":", " ", '"a"', '"', "\\", "1", "-", "0", ".", "e", "+", "true")


@given(parts=st.lists(st.sampled_from(PARTS), max_size=12), places=PLACES)
def test_what_python_refuses_is_refused(parts: list[str], places: list[int]) -> None:
    text = '{"x":' + "".join(parts) + "}"

    read, scanner = scanned(cut_at(text, places))

    assert (scanner.is_done and read == text) == is_json(text)


BAD = {
    "comma before the end": ('{"a":1,', "}"),
    "comma before the first key": ("{", ',"a":1}'),
    "comma before the end of a list": ('{"a":[1,', "]}"),
    "no colon": ('{"a" ', "1}"),
    "key without quotes": ("{", "a:1}"),
    "leading zero": ('{"a":0', "1}"),
    "number without digits": ('{"a":-', "}"),
    "no digit after the point": ('{"a":1.', "}"),
    "no exponent": ('{"a":1e', "}"),
    "plus sign": ('{"a":', "+1}"),
    "wrong literal": ('{"a":tr', "x}"),
    "line break in a string": ('{"a":"x', '\n"}'),
    "bad escape": ('{"a":"\\', 'x"}'),
    "bad hexadecimal digit": ('{"a":"\\u00', 'g0"}'),
    "wrong bracket": ('{"a":[1', "}}"),
}


@pytest.mark.parametrize(("good", "rest"), BAD.values(), ids=BAD)
def test_every_cut_fails_at_the_same_character(good: str, rest: str) -> None:
    for deltas in cuts(good + rest):
        read, scanner = scanned(deltas)

        assert scanner.is_failed
        assert read == good


def test_the_parts_of_the_outermost_object_are_told_apart() -> None:
    text, scanner, at = ' {"a" : [{"b":1}], "c":-2 }', JsonScanner(), 0
    parts: list[tuple[Place, str]] = []

    while not scanner.is_over:
        place, start = scanner.place, at
        at = scanner.scan(text, start)
        parts.append((place, text[start:at]))

    assert [part for place, part in parts if place is Place.KEY] == ['"a"', '"c"']
    assert [part for place, part in parts if place is Place.VALUE] == ['[{"b":1}]', "-2"]
    assert "".join(part for _, part in parts) == text
    assert all(a is not b for (a, _), (b, _) in pairwise(parts))


@given(text=st.text(st.characters(exclude_categories=["Cs"])), is_ascii=st.booleans())
def test_a_string_is_decoded_as_python_does_at_every_cut(text: str, is_ascii: bool) -> None:
    raw = json.dumps(text, ensure_ascii=is_ascii)

    for deltas in cuts(raw):
        decoder = StringDecoder()
        assert "".join(decoder.feed(delta) for delta in deltas) == text
        assert decoder.pending == ""


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (r'"\ud83d\ude00"', "😀"),
        (r'"\ud83d"', "\ufffd"),
        (r'"\ude00\ud83dx"', "\ufffd\ufffdx"),
        (r'"\ud83d\ud83d\ude00"', "\ufffd😀"),
        (r'"\ud83d\n\uD83D\u00e9"', "\ufffd\n\ufffdé"),
        (r'"\\ud83d\/\"\\"', '\\ud83d/"\\'),
    ],
)
def test_half_a_surrogate_pair_is_replaced_at_every_cut(raw: str, said: str) -> None:
    for deltas in cuts(raw):
        decoder = StringDecoder()
        assert "".join(decoder.feed(delta) for delta in deltas) == said
