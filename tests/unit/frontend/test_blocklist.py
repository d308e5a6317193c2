"""Rules about what may be said, across every way a text may be cut into deltas."""

import asyncio

import pytest
from hypothesis import example, given, settings

from frontend_api.domain.generation import Delta, Token
from frontend_api.service.blocklist import MAX_MATCH_CHARS, Rule, new_rule
from frontend_api.service.screening import AnswerScreen
from tests.unit.frontend.parsing import PLACES, cut_at, some_text

PATTERNS = (
    r"secret",
    r"(?i)\bfoo\b",
    r"foo(bar)?",
    r"foobar|foo",
    r"foo(?= bar)",
    r"foo(?! bar)",
    r"(?<=key: )\w+",
    r"\b(?:\d[ -]?){4,8}\b",
    r"a.*z|b",
    r"foo$",
    r"(?m)^o+",
)
TEXTS = some_text("secret", "foo", "foobar", " bar", "key: ", "1234", "-", " ", "a", "z", "\n", "o")


def masking(*patterns: str) -> list[Rule]:
    return [new_rule(each, each, "mask") for each in patterns]


def deltas_of(parts: list[str], reason: str = "stop") -> list[Delta]:
    *most, last = parts
    return [
        *(Delta(0, text, 1, tokens=(Token(at, text.encode()),)) for at, text in enumerate(most)),
        Delta(0, last, 1, reason, (Token(len(most), last.encode()),)),
    ]


def screened(rules: list[Rule], parts: list[str]) -> list[Delta]:
    """Return what is let through, up to the end."""

    async def shown() -> list[Delta]:
        screen = AnswerScreen(rules)
        return [await screen.push(delta) for delta in deltas_of(parts) if not screen.is_over]

    return asyncio.run(shown())


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=60, deadline=None)
@given(text=TEXTS, places=PLACES)
@example(text="foobar", places=[3, 4])
@example(text="xfoo", places=[1, 2, 3])
def test_however_it_is_cut_the_same_is_masked(pattern: str, text: str, places: list[int]) -> None:
    rules = masking(pattern)

    pieces = screened(rules, cut_at(text, places))

    assert text_of(pieces) == text_of(screened(rules, [text]))
    assert text_of(pieces) == rules[0].pattern.sub("***", text)
    assert sum(piece.num_output_tokens for piece in pieces) == len(cut_at(text, places))


@settings(max_examples=60, deadline=None)
@given(text=TEXTS, places=PLACES)
def test_a_refused_text_ends_where_the_match_begins(text: str, places: list[int]) -> None:
    rules = [new_rule("no", r"foo\w*|1234", "refuse"), *masking("secret")]
    found = rules[0].pattern.search(text)

    pieces = screened(rules, cut_at(text, places))

    assert text_of(pieces) == text[: found.start() if found else None].replace("secret", "***")
    assert pieces[-1].finish_reason == ("content_filter" if found else "stop")


def test_what_cannot_become_a_match_is_let_through_at_once() -> None:
    shown = [delta.text for delta in screened(masking("secret"), ["the s", "ea", " sec", "ret x"])]

    assert shown == ["the ", "sea", " ", "*** x"]


def test_an_exception_is_heeded_even_if_it_comes_later() -> None:
    rules = [new_rule("no", "Paris", "mask"), new_rule("but", "Paris Hilton", "allow")]

    assert text_of(screened(rules, list("Paris, Paris Hilton"))) == "***, Paris Hilton"


def test_overlapping_matches_are_masked_together() -> None:
    rules = [*masking("abc", "bcd"), new_rule("x", "efg", "mask", mask="<e>")]

    assert text_of(screened(rules, list("_abcd_efg"))) == "_***_<e>"


def test_masked_tokens_are_not_told() -> None:
    pieces = screened(masking("secret"), ["a ", "sec", "ret", " b"])

    assert [token.id for piece in pieces for token in piece.tokens] == [0, 3]
    assert sum(piece.num_output_tokens for piece in pieces) == 4


def test_a_text_is_held_back_no_longer_than_a_match_may_be() -> None:
    pieces = screened(masking("a+z"), ["a" * (2 * MAX_MATCH_CHARS), "z"])

    assert [piece.text for piece in pieces] == ["a" * MAX_MATCH_CHARS, "***"]


def test_an_expression_that_goes_astray_refuses_the_text() -> None:
    pieces = screened(masking(r"(?:a|aa)+$x"), ["so far ", "a" * 40 + "b", "c"])

    assert text_of(pieces) == "so far "
    assert [piece.finish_reason for piece in pieces] == [None, "content_filter"]


async def test_rules_that_are_slow_with_an_answer_hold_up_no_other() -> None:
    # Each piece is looked at for some milliseconds.
    screen = AnswerScreen(masking(r"[\w.]+@[\w.]+"))
    longest, num_turns = 0, 0

    async def count_turns() -> None:
        nonlocal num_turns
        while True:
            await asyncio.sleep(0)
            num_turns += 1

    others = asyncio.create_task(count_turns())
    await asyncio.sleep(0)
    for _ in range(5):
        before = num_turns
        await screen.push(Delta(0, "a" * MAX_MATCH_CHARS + " ", 1))
        longest = max(longest, num_turns - before)
    others.cancel()

    assert longest > 1


def test_an_expression_that_matches_between_characters_masks_nothing() -> None:
    assert text_of(screened(masking(r"\b"), ["a b"])) == "a b"


@pytest.mark.parametrize("pattern", ["(", "a*", "(?<=x+"])
def test_an_expression_that_is_none_or_matches_nothing_is_no_rule(pattern: str) -> None:
    with pytest.raises(ValueError, match="its pattern"):
        new_rule("x", pattern, "mask")
