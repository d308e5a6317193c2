"""Tool calls of an answer that was constrained to be nothing else, however the text was cut."""

import pytest
from hypothesis import given

from frontend_api.domain.answer_pieces import CallStarted, Content, Piece
from frontend_api.domain.tool_calls import open_forced_parser
from tests.unit.frontend.parsing import (
    PLACES,
    call,
    cut_at,
    cuts,
    ended,
    pieces_of,
    rules,
    some_text,
    work_of,
)

F = '{"name": "f", "arguments": {"a": [1, {"b": "]},"}]}}'
F_CALL = ("f", '{"a": [1, {"b": "]},"}]}')
G = '{"arguments":{},"name":"g"}'
Streams = dict[str, tuple[str, list[Piece]]]

REQUIRED: Streams = {
    "one object": (f" {F}\n", [*call(0, *F_CALL), ended(1)]),
    "array of one": (f"[{F}]", [*call(0, *F_CALL), ended(1)]),
    "array of three": (
        f"\n[ {F}, {G} ,\n{F} ]\n",
        [*call(0, *F_CALL), *call(1, "g", "{}"), *call(2, *F_CALL), ended(3)],
    ),
    "cut between calls": (f"[{F}, ", [*call(0, *F_CALL), ended(1)]),
    "cut inside the arguments": (
        f'[{F}, {{"name": "g", "arguments": {{"x',
        [*call(0, *F_CALL), *call(1, "g", '{"x'), ended(2, is_cut=True)],
    ),
    "cut before the name was whole": (
        ' [{"name": "f',
        [Content(' [{"name": "f'), ended(is_cut=True)],
    ),
    "cut at the start": (" [", [Content(" ["), ended()]),
    "nothing": ("", [ended()]),
    "empty array": ("[ ] ", [Content("[ ] "), ended()]),
    "plain text": (f"No {F}", [Content(f"No {F}"), ended()]),
    "text after the object": (f"{F} so", [*call(0, *F_CALL), Content(" so"), ended(1)]),
    "text after the array": (f"[{F}] so", [*call(0, *F_CALL), Content("] so"), ended(1)]),
    "text inside the array": (f"[{F}, so", [*call(0, *F_CALL), Content(", so"), ended(1)]),
    "malformed": ('[{"name": 1}]', [Content('[{"name": 1}]'), ended(malformed=1)]),
}
NAMED: Streams = {
    "an object": (' {"a": ["}"]} \n', [*call(0, "f", '{"a": ["}"]}'), ended(1)]),
    "empty object": ("{}", [*call(0, "f", "{}"), ended(1)]),
    "cut": ('{"a": "', [*call(0, "f", '{"a": "'), ended(1, is_cut=True)]),
    "nothing": ("", [ended()]),
    "only space": ("\n", [Content("\n"), ended()]),
    "no object": (" [1]", [Content(" [1]"), ended(malformed=1)]),
    "text after it": ("{} so", [*call(0, "f", "{}"), Content(" so"), ended(1)]),
    "bad JSON": ('{"a" 1}', [*call(0, "f", '{"a" '), Content("1}"), ended(1, malformed=1)]),
}
CASES = [
    pytest.param(named, text, expected, id=f"{named or 'required'}: {name}")
    for named, streams in ((None, REQUIRED), ("f", NAMED))
    for name, (text, expected) in streams.items()
]


@pytest.mark.parametrize(("named", "text", "expected"), CASES)
def test_every_cut_gives_the_same_pieces(
    named: str | None, text: str, expected: list[Piece]
) -> None:
    for deltas in cuts(text):
        assert pieces_of(open_forced_parser(rules("f", "g"), named), deltas) == expected, deltas


@given(text=some_text(F, G, "[", "]", ",", "{", "}", '"', '{"name": "f"'), places=PLACES)
@pytest.mark.parametrize("named", [None, "f"])
def test_any_chunking_gives_the_same_pieces(
    named: str | None, text: str, places: list[int]
) -> None:
    whole = pieces_of(open_forced_parser(rules(), named), [text])

    cut = pieces_of(open_forced_parser(rules(), named), cut_at(text, places))

    assert cut == whole


def test_a_named_call_is_announced_at_its_first_brace() -> None:
    parser = open_forced_parser(rules(), "f")

    assert parser.push(" ") == []
    assert parser.push("{")[0] == CallStarted(0, "call_0", "f")


@pytest.mark.parametrize(("named", "text"), [(None, F + ","), ("f", '"a\\n": [1.5, true],')])
def test_four_times_the_text_is_four_times_the_work(named: str | None, text: str) -> None:
    opening = "[" if named is None else "{"
    small, large = opening + text * 50, opening + text * 200

    for cut_small, cut_large in (([small], [large]), (list(small), list(large))):
        work = work_of(open_forced_parser(rules(), named), cut_small)
        assert work_of(open_forced_parser(rules(), named), cut_large) < 4.2 * work
