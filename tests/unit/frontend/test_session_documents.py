"""Documents hold everything, and nothing a database could take for more than a value."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend_api.adapters.session_documents import (
    changes_document,
    emptied,
    folded,
    message_document,
    message_of,
    parents_first,
    pieces_document,
    pieces_of,
    session_document,
    session_of,
    storable,
)
from frontend_api.domain.answer_pieces import (
    CallArguments,
    CallsEnded,
    CallStarted,
    Content,
    Piece,
    Reasoning,
)
from frontend_api.domain.excerpts import EXCERPT_CHARS, excerpt
from frontend_api.domain.generation import Timing, Usage
from frontend_api.domain.messages import Called, Ending, Item, Message, Returned, Run, Said, Thought
from frontend_api.domain.sessions import Session, SessionChanges

text = st.text(st.characters(codec="utf-8"), max_size=8)
number = st.integers(0, 9)
pieces = st.one_of(
    st.builds(Reasoning, text),
    st.builds(Content, text),
    st.builds(CallStarted, number, text, text),
    st.builds(CallArguments, number, text),
    st.builds(CallsEnded, number, number, st.booleans()),
)
items = st.one_of(
    st.builds(Said, st.sampled_from(["system", "developer", "user", "assistant"]), text),
    st.builds(Thought, text),
    st.builds(Called, text, text, text),
    st.builds(Returned, text, text),
)
ENDING = Ending(
    status="failed",
    completed_at=2.5,
    usage=Usage(1, 2, 3, 4),
    timing=Timing(None, 0.5, 3.25),
    finish_reason="stop",
    reason="interrupted",
    error_code="lost",
    error_message="It is gone.",
)


def a_message(said: tuple[Item, ...] = (), run: Run | None = None, **given: object) -> Message:
    fields = {"id": "m", "session_id": "s", "owner": "o", "parent_id": None, "created_at": 1.5}
    return Message(**{**fields, "said": said, "run": run, **given})  # type: ignore[arg-type]


def a_run(said: tuple[Piece, ...], ending: Ending | None) -> Run:
    return Run(
        model="demo",
        status="in_progress" if ending is None else ending.status,
        worker="w",
        lease_until=9.5,
        pieces=said,
        ending=ending,
    )


def keys_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for inner in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from keys_in(inner)


@given(st.lists(pieces))
def test_pieces_come_back_as_they_were(streamed: list[Piece]) -> None:
    wire = json.loads(json.dumps(pieces_document(streamed)))

    assert pieces_of(wire) == tuple(streamed)


@given(st.lists(items), st.frozensets(number), st.booleans())
def test_messages_come_back_as_they_were(
    said: list[Item], removed: frozenset[int], is_deleted: bool
) -> None:
    message = a_message(tuple(said), removed=removed, is_deleted=is_deleted)

    assert message_of(json.loads(json.dumps(message_document(message)))) == message


@pytest.mark.parametrize("ending", [None, ENDING])
def test_runs_come_back_as_they_were(ending: Ending | None) -> None:
    message = a_message(run=a_run((Content("a"),), ending))

    assert message_of(json.loads(json.dumps(message_document(message)))) == message


def test_sessions_come_back_as_they_were_whatever_else_the_document_holds() -> None:
    session = Session(
        id="s", owner="o", created_at=1, updated_at=2, title="t", metadata={"a.b": "$c"}, head="m"
    )

    document = json.loads(json.dumps(session_document(session)))

    assert session_of({**document, "_id": 7}) == session


@pytest.mark.parametrize("key", ["$where", "a.b", "", "\x00", "$ne"])
def test_no_text_of_a_client_becomes_a_key(key: str) -> None:
    session = Session(id=key, owner=key, created_at=1, updated_at=1, metadata={key: key})
    message = a_message((Said("user", key), Called(key, key, "{}")), id=key)

    documents = [session_document(session), message_document(message)]
    documents.append(changes_document(SessionChanges(metadata={key: key})))

    assert key not in {name for document in documents for name in keys_in(document)}


def test_changes_leave_out_what_stays() -> None:
    assert changes_document(SessionChanges()) == {}
    changed = SessionChanges(title="", is_pinned=False, metadata={})
    assert changes_document(changed) == {"title": "", "is_pinned": False, "metadata": []}


@given(st.text())
def test_storable_text_can_be_encoded_and_is_kept_when_it_could_be(any_text: str) -> None:
    kept = storable(any_text)

    kept.encode()
    assert len(kept) <= len(any_text)
    assert "\ufffd" in kept or kept == any_text


def test_lone_surrogates_are_replaced_everywhere() -> None:
    bad, shown = "a\ud800", "a\ufffd"
    session = Session(id="s", owner="o", created_at=1, updated_at=1, title=bad, metadata={bad: bad})
    message = a_message((Said("user", bad), Called(bad, bad, bad)), run=None)
    answer = a_message(run=a_run((Content(bad), CallStarted(0, bad, bad)), ENDING))

    kept = [session_document(session), message_document(message), message_document(answer)]

    stored = json.dumps(kept, ensure_ascii=False)
    # Three in the session; the texts and what is searched of both messages.
    assert stored.encode().decode().count(shown) == 3 + 5 + 4


def test_running_answer_is_not_searched_yet() -> None:
    assert folded(a_message(run=a_run((Content("ABC"),), None))) == ""
    assert folded(a_message(run=a_run((Content("ABC"),), ENDING))) == "abc"


def test_emptied_message_is_only_a_place() -> None:
    message = emptied(a_message((Said("user", "x"),), removed=frozenset({1}), parent_id="p"))

    assert message == a_message(parent_id="p", is_deleted=True)


@given(st.permutations(range(8)))
def test_parents_come_first_in_any_order_of_arrival(order: list[int]) -> None:
    parents = {0: None, 1: 0, 2: 0, 3: 1, 4: 3, 5: 3, 6: None, 7: 6}
    messages = [
        a_message(id=str(n), parent_id=None if parents[n] is None else str(parents[n]))
        for n in order
    ]

    placed = parents_first(messages)

    assert sorted(m.id for m in placed) == sorted(m.id for m in messages)
    seen: set[str | None] = {None}
    for message in placed:
        assert message.parent_id in seen
        seen.add(message.id)


def test_order_of_arrival_is_kept_where_it_can_be() -> None:
    messages = [a_message(id="b"), a_message(id="a"), a_message(id="c", parent_id="gone")]

    assert parents_first(messages) == messages


def test_excerpt_shows_what_is_around() -> None:
    long = "x " * 500 + "the Needle here" + " y" * 500

    shown = excerpt(long, "nEEDLE")

    assert "the Needle here" in shown
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert len(shown) <= EXCERPT_CHARS + 2


def test_excerpt_of_a_short_text_is_all_of_it() -> None:
    assert excerpt("one\n two", "two") == "one two"


def test_excerpt_finds_its_place_when_folding_changes_the_length() -> None:
    long = "ß" * 400 + "Straße" + "z" * 400

    assert "Straße" in excerpt(long, "STRASSE")
