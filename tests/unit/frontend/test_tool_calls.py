"""Tool calls in a model's own format are told from content, however the text was cut."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given

from frontend_api.domain.answer_pieces import CallArguments, CallStarted, Content, Piece
from frontend_api.domain.tool_calls import (
    TOOL_FORMATS,
    CallRules,
    ParsedAnswer,
    ToolCall,
    open_parser,
    parse_answer,
)
from tests.unit.frontend.parsing import (
    PLACES,
    call,
    content_of,
    cut_at,
    cuts,
    ended,
    longest_held_string,
    pieces_of,
    rules,
    some_text,
    work_of,
)

NASTY = r'{"a": [1, -2.5e+3, {"b": "}\"]</tool_call>\\"}], "ü😀": "<tool_call>; \u00e9", "n": null}'
F = '{"name": "f", "arguments": {}}'
G = '{"name": "g", "arguments": {"x": 1}}'
G_CALL = ("g", '{"x": 1}')
Streams = dict[str, tuple[str, list[Piece]]]


def block(text: str) -> str:
    return f"<tool_call>\n{text}\n</tool_call>"


def given_back(text: str, *, malformed: int = 1) -> tuple[str, list[Piece]]:
    return text, [Content(text), ended(malformed=malformed)]


def given_back_cut(text: str) -> tuple[str, list[Piece]]:
    return text, [Content(text), ended(is_cut=True)]


HERMES: Streams = {
    "one call": (
        block('{"name": "f", "arguments": ' + NASTY + "}"),
        [*call(0, "f", NASTY), ended(1)],
    ),
    "text before, between and after": (
        f"Look:\n{block(F)}\n and \n{block(G)}\nDone.\n",
        [
            Content("Look:"),
            *call(0, "f", "{}"),
            Content("\n and"),
            *call(1, *G_CALL),
            Content("\nDone.\n"),
            ended(2),
        ],
    ),
    "calls in a row": (
        f"\n\n{block(F)}\n{block(G)}\n",
        [*call(0, "f", "{}"), *call(1, *G_CALL), ended(2)],
    ),
    "no line breaks": (
        f"<tool_call>{F}</tool_call><tool_call>{G}</tool_call>",
        [*call(0, "f", "{}"), *call(1, *G_CALL), ended(2)],
    ),
    "no closing tags": (
        f"<tool_call>{F}\n<tool_call>{G} ok",
        [*call(0, "f", "{}"), *call(1, *G_CALL), Content(" ok"), ended(2)],
    ),
    "cut inside the closing tag": (
        f"<tool_call>{F}\n</tool_ca",
        [*call(0, "f", "{}"), ended(1)],
    ),
    "arguments before the name": (
        block('{"arguments": ' + NASTY + ', "name": "f"}'),
        [*call(0, "f", NASTY), ended(1)],
    ),
    "arguments as a string": (
        block(r'{"name": "f", "arguments": "{\"a\": \"\\n\\u00e9 \u00e9 \ud83d\ude00\"}"}'),
        [*call(0, "f", r'{"a": "\n\u00e9 é 😀"}'), ended(1)],
    ),
    "arguments as a string before the name": (
        block(r'{"arguments": "{\"a\": 1}", "name": "f"}'),
        [*call(0, "f", '{"a": 1}'), ended(1)],
    ),
    "no arguments": (block('{"name": "f"}'), [*call(0, "f", "{}"), ended(1)]),
    "other keys": (
        block('{"type": "function", "name": "f", "arguments": {"x":1}, "id": [{"name": 1}]}'),
        [*call(0, "f", '{"x":1}'), ended(1)],
    ),
    "escaped keys and name": (
        block(r'{"n\u0061me": "\u0066", "parameters": {}}'),
        [*call(0, "f", "{}"), ended(1)],
    ),
    "plain text": ("\n2 < 3 and <tool> \n", [Content("\n2 < 3 and <tool> \n"), ended()]),
    "cut inside the opening tag": ("Hi \n<tool_c", [Content("Hi \n<tool_c"), ended()]),
    "nothing": ("", [ended()]),
    "bad JSON before the name": given_back(f"Hi\n{block('{name: 1}')} so"),
    "no object": given_back(f"Hi\n{block('[1]')} so\n"),
    "name missing": given_back(block('{"arguments": {"x": "<tool_call>"}} ')),
    "name empty": given_back(block('{"name": "", "arguments": {}}')),
    "name no string": given_back(block('{"arguments": {}, "name": ["<tool_call>"]}'), malformed=2),
    "arguments twice": given_back(block('{"arguments": {}, "parameters": {}, "name": "f"}')),
    "unknown tool": given_back(block('{"name": "h", "arguments": {}}')),
    "empty block": given_back("<tool_call>\n</tool_call>"),
    "malformed, then valid": (
        f"a <tool_call> {{b <tool_call>{F}</tool_call> \n{block('{]')} c",
        [
            Content("a <tool_call> {b"),
            *call(0, "f", "{}"),
            Content(" \n" + block("{]") + " c"),
            ended(1, malformed=2),
        ],
    ),
    "bad JSON inside the arguments": (
        "<tool_call>" + '{"name": "f", "arguments": {"x": 1,}}</tool_call> so',
        [*call(0, "f", '{"x": 1,'), Content("}}</tool_call> so"), ended(1, malformed=1)],
    ),
    "bad JSON after the arguments": (
        "<tool_call>" + '{"name": "f", "arguments": "{}" , "x" 1}',
        [*call(0, "f", "{}"), Content(' , "x" 1}'), ended(1, malformed=1)],
    ),
    "bad escape inside arguments written as a string": (
        "<tool_call>" + r'{"name": "f", "arguments": "{\u00zz',
        [*call(0, "f", "{"), Content(r"\u00zz"), ended(1, malformed=1)],
    ),
    "cut before the name was whole": given_back_cut('Hi <tool_call>\n{"name": "f'),
    "cut right after the marker": given_back_cut("Hi <tool_call>\n"),
    "cut before a name that comes last": given_back_cut('<tool_call>{"arguments": {"x": 1}, "na'),
    "cut inside the arguments": (
        '<tool_call>{"name": "f", "arguments": {"x": "ab',
        [*call(0, "f", '{"x": "ab'), ended(1, is_cut=True)],
    ),
    "cut right after the name": (
        '<tool_call>{"name": "f", "argu',
        [CallStarted(0, "call_0", "f"), ended(1, is_cut=True)],
    ),
}

LF = '{"name": "f", "parameters": {}}'
LG = '{"name": "g", "parameters": {"x": 1}}'
LLAMA: Streams = {
    "one call": ('{"name": "f", "parameters": ' + NASTY + "}", [*call(0, "f", NASTY), ended(1)]),
    "tag": (f"\n<|python_tag|> {LF}\n", [*call(0, "f", "{}"), ended(1)]),
    "several": (
        f"{LF}; {LG}\n{LF}{LG} ; ",
        [
            *call(0, "f", "{}"),
            *call(1, *G_CALL),
            *call(2, "f", "{}"),
            *call(3, *G_CALL),
            ended(4),
        ],
    ),
    "several with tags": (
        f"<|python_tag|>{LF};<|python_tag|>{LG}",
        [*call(0, "f", "{}"), *call(1, *G_CALL), ended(2)],
    ),
    "type first": ('{"type": "function", ' + LF[1:], [*call(0, "f", "{}"), ended(1)]),
    "plain text": (f" Use {LF} or; ", [Content(f" Use {LF} or; "), ended()]),
    "code after the tag": ("<|python_tag|>f(1)", [Content("<|python_tag|>f(1)"), ended()]),
    "cut inside the tag": ("\n<|pyth", [Content("\n<|pyth"), ended()]),
    "only space": (" \n", [Content(" \n"), ended()]),
    "text after a call": (f"{LF}; so {LG}", [*call(0, "f", "{}"), Content(f"; so {LG}"), ended(1)]),
    "two separators": (f"{LF};; {LG}", [*call(0, "f", "{}"), Content(f";; {LG}"), ended(1)]),
    "tag after a call": (
        f"{LF};<|python_tag|>",
        [*call(0, "f", "{}"), Content(";<|python_tag|>"), ended(1)],
    ),
    "cut tag after a call": (f"{LF};<|py", [*call(0, "f", "{}"), Content(";<|py"), ended(1)]),
    "a JSON answer": given_back('{"city": "Paris", "people": [{"name": "f"}]} \n'),
    "a JSON answer with a name": given_back('{"name": "Paris", "people": 3}'),
    "not JSON": given_back(f"<|python_tag|> {{f}}; {LF}"),
    "malformed after a call": (
        LF + '; {"name": 1}',
        [*call(0, "f", "{}"), Content('; {"name": 1}'), ended(1, malformed=1)],
    ),
    "cut before the name was whole": given_back_cut(' {"name": "f'),
    "cut inside the arguments": (
        LF + ';{"name": "f", "parameters": {"x": "a',
        [*call(0, "f", "{}"), *call(1, "f", '{"x": "a'), ended(2, is_cut=True)],
    ),
}
CASES = [
    pytest.param(tool_format, text, expected, id=f"{tool_format}: {name}")
    for tool_format, streams in (("hermes", HERMES), ("llama3_json", LLAMA))
    for name, (text, expected) in streams.items()
]


@pytest.mark.parametrize(("tool_format", "text", "expected"), CASES)
def test_every_cut_gives_the_same_pieces(
    tool_format: str, text: str, expected: list[Piece]
) -> None:
    for deltas in cuts(text):
        assert pieces_of(open_parser(tool_format, rules("f", "g")), deltas) == expected, deltas


FRAGMENTS = (
    *("<tool_call>", "</tool_call>", "<|python_tag|>", "<tool", "<", ";", "\n", '"', "\\", "\\u12"),
    *(
        '{"name": "f", "arguments": ',
        '{"arguments": "',
        '", "name": "f"}',
        '{"a": [1',
        "}",
        "]}",
        F,
    ),
)


@given(text=some_text(*FRAGMENTS), places=PLACES)
@pytest.mark.parametrize("tool_format", sorted(TOOL_FORMATS))
def test_any_chunking_gives_the_same_pieces(tool_format: str, text: str, places: list[int]) -> None:
    whole = pieces_of(open_parser(tool_format, rules()), [text])

    cut = pieces_of(open_parser(tool_format, rules()), cut_at(text, places))

    assert cut == whole


@given(text=some_text(*FRAGMENTS), places=PLACES)
@pytest.mark.parametrize("tool_format", sorted(TOOL_FORMATS))
def test_a_text_without_calls_is_delivered_to_the_letter(
    tool_format: str, text: str, places: list[int]
) -> None:
    pieces = pieces_of(open_parser(tool_format, rules("no such name")), cut_at(text, places))

    assert content_of(pieces) == text


def test_name_and_arguments_are_delivered_as_they_come() -> None:
    parser = open_parser("hermes", rules())
    deltas = ["Hi", " <tool", '_call>{"name": "f', '", "arg', 'uments": {"x"', ": 1", "}}\n</tool"]

    pushed = [parser.push(delta) for delta in deltas]

    assert pushed == [
        [Content("Hi")],
        [],
        [],
        [CallStarted(0, "call_0", "f")],
        [CallArguments(0, '{"x"')],
        [CallArguments(0, ": 1")],
        [CallArguments(0, "}")],
    ]


def test_without_tool_names_any_name_is_a_call() -> None:
    answer = parse_answer(block('{"name": "h", "arguments": {}}'), open_parser("hermes", rules()))

    assert answer == ParsedAnswer("", (ToolCall("call_0", "h", "{}"),), ended(1))


def test_a_complete_answer_has_its_content_and_calls() -> None:
    answer = parse_answer(f"Look:\n{block(F)}\n{block(G)}", open_parser("hermes", rules()))

    calls = (ToolCall("call_0", "f", "{}"), ToolCall("call_1", *G_CALL))
    assert answer == ParsedAnswer("Look:", calls, ended(2))


def test_ids_are_random_and_look_like_openais() -> None:
    answer = parse_answer(f"{block(F)}{block(G)}", open_parser("hermes", CallRules()))

    ids = {call.id for call in answer.calls}
    assert len(ids) == 2
    assert all(re.fullmatch(r"call_[A-Za-z0-9]{24}", call_id) for call_id in ids)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(KeyError):
        open_parser("telegraph", CallRules())


LONG_STREAMS: dict[str, Callable[[int], str]] = {
    "text": lambda n: "a <tool_cal \n" * n + " " * n,
    "arguments": lambda n: '<tool_call>{"name": "f", "arguments": {"x": "' + 'a\\n"' * n,
    "arguments as a string": lambda n: (
        '<tool_call>{"name": "f", "arguments": "' + "\\u00e9ab" * n + '"}'
    ),
    "arguments before the name": lambda n: (
        '<tool_call>{"arguments": [' + "[1], " * n + '2], "name": "f"}'
    ),
    "an open string": lambda n: '<tool_call>{"name": "' + "a" * n,
    "many bad calls": lambda n: "<tool_call>{" * n,
    "many calls": lambda n: block(F) * n,
}


@pytest.mark.parametrize("stream", LONG_STREAMS.values(), ids=LONG_STREAMS)
def test_four_times_the_text_is_four_times_the_work(stream: Callable[[int], str]) -> None:
    small, large = (work_of(open_parser("hermes", rules()), list(stream(n))) for n in (100, 400))
    small_whole, large_whole = (
        work_of(open_parser("hermes", rules()), [stream(n)]) for n in (100, 400)
    )

    assert large < 4.2 * small
    assert large_whole < 4.2 * small_whole


@pytest.mark.parametrize("stream", LONG_STREAMS.values(), ids=LONG_STREAMS)
def test_no_more_than_part_of_a_marker_is_held_as_one_string(stream: Callable[[int], str]) -> None:
    parser = open_parser("hermes", rules())

    held = [(parser.push(char), longest_held_string(parser))[1] for char in stream(50)]

    assert max(held) <= len("</tool_call>")
