"""One choice read from its deltas, however they are cut."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend_api.domain.answer import AnswerReader, AnswerRules, answer_rules
from frontend_api.domain.answer_pieces import Content, Piece, Reasoning, merged
from frontend_api.domain.generation import (
    ChatPrompt,
    Delta,
    GenerationRequest,
    Guide,
    TextPrompt,
    Token,
    ToolUse,
)
from frontend_api.domain.model import ServedModel
from tests.unit.frontend.parsing import PLACES, call, counted_ids, cut_at, some_text

USE = ToolUse(frozenset({"f"}))
MODEL = ServedModel("m", tool_format="hermes", reasoning_format="think")
CALL = '<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>'


def rules(use: ToolUse | None = USE, has_reasoning: bool = True) -> AnswerRules:
    return AnswerRules(has_reasoning, "hermes", use, counted_ids())


def deltas(texts: list[str], reason: str = "stop") -> list[Delta]:
    *most, last = texts
    return [
        *(Delta(0, t, 1, None, (Token(1, t.encode()),)) for t in most),
        Delta(0, last, 1, reason, (Token(1, last.encode()),)),
    ]


def read(reader: AnswerReader, texts: list[str], reason: str = "stop") -> list[Piece]:
    return merged([piece for d in deltas(texts, reason) for piece in reader.read(d)])


def test_reasoning_content_and_calls_come_apart() -> None:
    reader = AnswerReader(rules())

    pieces = read(reader, [f"<think>hm</think>Well. {CALL}"])

    assert pieces == [Reasoning("hm"), Content("Well."), *call(0, "f", '{"a": 1}')]
    assert reader.finish_reason == "tool_calls"


def test_nothing_is_read_after_the_second_call_that_was_not_wanted() -> None:
    reader = AnswerReader(rules(ToolUse(frozenset({"f"}), is_parallel=False)))

    pieces = [p for text in (CALL, CALL, "x") for p in reader.read(Delta(0, text, 1))]

    assert merged(pieces) == call(0, "f", '{"a": 1}')
    assert (reader.finish_reason, reader.is_cut_short) == ("tool_calls", True)


@pytest.mark.parametrize(("reason", "told"), [("stop", "tool_calls"), ("length", "length")])
def test_a_call_changes_the_reason_only_of_an_answer_that_was_not_cut(
    reason: str, told: str
) -> None:
    reader = AnswerReader(rules())

    read(reader, [CALL], reason)

    assert reader.finish_reason == told


@pytest.mark.parametrize(
    ("texts", "count"),
    [
        (["<think>", "a", "</think>", "b", "c"], 3),
        (["<think>", "a b", "</think>b", "c"], 3),
        (["<think>", "a", "</th", "ink>", "\n\n", "b"], 5),
        (["<think>", "never closed"], 2),
        (["no", " thought"], 0),
        (["<think>", "</think>", "b"], 0),
    ],
)
def test_reasoning_tokens_are_those_that_begin_before_the_content(
    texts: list[str], count: int
) -> None:
    one_by_one, merged_ = AnswerReader(rules()), AnswerReader(rules())
    tokens = tuple(Token(1, text.encode()) for text in texts)

    read(one_by_one, texts)
    merged_.read(Delta(0, "".join(texts), len(texts), "stop", tokens))

    assert one_by_one.reasoning_tokens == count
    assert merged_.reasoning_tokens == count


@given(some_text("<think>", "</think>", "\n", " ", "<tool_call>", CALL, "{"), PLACES)
def test_pieces_are_the_same_however_the_text_was_cut(text: str, places: list[int]) -> None:
    at_once, in_parts = AnswerReader(rules()), AnswerReader(rules())

    expected = read(at_once, [text])
    found = read(in_parts, cut_at(text, places))

    assert found == expected
    assert in_parts.finish_reason == at_once.finish_reason


@given(st.lists(st.text(max_size=5), min_size=1))
def test_plain_rules_let_every_text_through(texts: list[str]) -> None:
    reader = AnswerReader(AnswerRules())

    pieces = read(reader, texts)

    assert "".join(p.text for p in pieces if isinstance(p, Content)) == "".join(texts)


def test_only_chats_that_are_not_guided_are_looked_into() -> None:
    chat = GenerationRequest(model="m", prompt=ChatPrompt(()))
    guided = GenerationRequest(model="m", prompt=ChatPrompt(()), guide=Guide("json"))
    text = GenerationRequest(model="m", prompt=TextPrompt("x"))

    assert not answer_rules(chat, MODEL).is_plain
    assert answer_rules(guided, MODEL).is_plain
    assert answer_rules(text, MODEL).is_plain


@pytest.mark.parametrize(
    ("kwargs", "pieces"),
    [
        ("", [Reasoning("hm"), Content("Yes")]),
        ('{"enable_thinking":true}', [Reasoning("hm"), Content("Yes")]),
        ('{"enable_thinking":false}', [Content("hm</think>Yes")]),
        ('{"enable_thinking":["?"]}', [Content("hm</think>Yes")]),
    ],
)
def test_an_answer_begins_inside_the_reasoning_that_the_prompt_opened(
    kwargs: str, pieces: list[Piece]
) -> None:
    model = replace(MODEL, opens_thinking=(None, True))
    asked = GenerationRequest(model="m", prompt=ChatPrompt((), template_kwargs=kwargs))

    reader = AnswerReader(answer_rules(asked, model))

    assert read(reader, ["hm</th", "ink>Yes"]) == pieces
