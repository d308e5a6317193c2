"""A conversation as a draft: copied, exported, read again."""

import json

import orjson

from frontend_api.domain.answer_pieces import (
    CallArguments,
    CallStarted,
    Content,
    Piece,
    Reasoning,
)
from frontend_api.domain.drafts import Draft, draft_of, pieces_of, planted
from frontend_api.domain.export import export_json, export_markdown
from frontend_api.domain.generation import Usage
from frontend_api.domain.messages import (
    Called,
    Ending,
    Item,
    Message,
    Returned,
    Run,
    Said,
    Thought,
    items_of,
)
from frontend_api.domain.sessions import Session
from frontend_api.web.wire_import import parse_import

PIECES: tuple[Piece, ...] = (
    Reasoning("Let me "),
    Reasoning("look."),
    Content("I "),
    Content("look."),
    CallStarted(0, "call_1", "look"),
    CallArguments(0, '{"at":'),
    CallArguments(0, "1}"),
)
ENDING = Ending(
    status="completed", completed_at=9.25, usage=Usage(3, 4, 1, 2), finish_reason="tool_calls"
)


def message(
    message_id: str, parent_id: str | None, said: Item | None = None, run: Run | None = None
) -> Message:
    return Message(
        id=message_id,
        session_id="conv_1",
        owner="me",
        parent_id=parent_id,
        created_at=2.5,
        said=() if said is None else (said,),
        run=run,
    )


def ran(ending: Ending | None = ENDING) -> Run:
    return Run(
        model="demo",
        status="in_progress" if ending is None else ending.status,
        worker="w1",
        lease_until=99.0,
        pieces=PIECES,
        ending=ending,
        is_background=True,
    )


def tree() -> list[Message]:
    return [
        message("msg_a", None, Said("system", "Be brief.")),
        message("msg_b", "msg_a", Said("user", "Look at 1")),
        message("resp_c", "msg_b", run=ran()),
        message("msg_d", "resp_c", Returned("call_1", "seen ``` there")),
        message("msg_e", "msg_a", Said("user", "Another branch")),
    ]


def draft(head: str = "msg_d", messages: list[Message] | None = None) -> Draft:
    session = Session(
        id="conv_1",
        owner="me",
        created_at=1.0,
        updated_at=9.5,
        title="A *title*\nof two lines",
        title_source="user",
        is_pinned=True,
        metadata={"$k": "v"},
        head=head,
    )
    return draft_of(session, messages or tree())


def written(one: Draft) -> bytes:
    return orjson.dumps(export_json(one))


def test_an_export_that_was_read_is_exported_the_same() -> None:
    first = written(draft())

    (read,) = parse_import(first)

    assert written(read) == first


def test_what_was_stored_from_an_import_is_exported_the_same() -> None:
    (read,) = parse_import(written(draft()))
    messages = planted(read, "you", "conv_2")
    session = Session(
        id="conv_2",
        owner="you",
        created_at=read.created_at,
        updated_at=read.updated_at,
        title=read.title,
        title_source=read.title_source,
        is_pinned=read.is_pinned,
        metadata=read.metadata,
        head=messages[3].id,
    )

    assert written(draft_of(session, messages)) == written(draft())


def test_a_copy_has_ids_of_its_own_and_the_same_tree() -> None:
    copies = planted(draft(), "you", "conv_2")

    ids = [copy.id for copy in copies]
    assert len(set(ids)) == 5
    assert not set(ids) & {each.id for each in tree()}
    assert [copy.parent_id for copy in copies] == [None, ids[0], ids[1], ids[2], ids[0]]
    assert {(copy.owner, copy.session_id) for copy in copies} == {("you", "conv_2")}
    assert ids[2].startswith("resp_")


def test_a_copy_of_an_answer_has_its_pieces_and_belongs_to_no_worker() -> None:
    copy = planted(draft(), "you", "conv_2")[2]

    assert copy.run is not None
    assert copy.run.pieces == PIECES
    assert (copy.run.worker, copy.run.lease_until, copy.run.is_background) == ("", 0.0, False)


def test_a_copy_of_an_answer_that_is_still_made_is_interrupted() -> None:
    running = tree()
    running[2] = message("resp_c", "msg_b", run=ran(None))

    copy = planted(draft(messages=running), "you", "conv_2")[2]
    (read,) = parse_import(written(draft(messages=running)))
    imported = planted(read, "you", "conv_2")[2]

    for each in (copy, imported):
        assert each.run is not None
        assert each.run.ending is not None
        assert (each.run.status, each.run.ending.reason) == ("incomplete", "interrupted")


def test_what_a_client_removed_is_in_no_copy() -> None:
    messages = tree()
    answer = messages[2]
    messages[2] = Message(
        id=answer.id,
        session_id=answer.session_id,
        owner=answer.owner,
        parent_id=answer.parent_id,
        created_at=answer.created_at,
        run=answer.run,
        removed=frozenset({0}),
    )

    copy = planted(draft(messages=messages), "you", "conv_2")[2]

    assert b"Let me" not in written(draft(messages=messages))
    assert copy.run is not None
    assert items_of(copy.run.pieces)[0] == Said("assistant", "I look.")


def test_pieces_made_of_items_amount_to_these_items() -> None:
    items: list[Item] = [
        Thought("Hm."),
        Said("assistant", "Yes."),
        Called("c1", "look", '{"at":1}'),
        Called("c2", "look", ""),
        Said("assistant", "Done."),
    ]

    assert items_of(pieces_of(items)) == items


def test_an_export_names_no_owner_and_no_id() -> None:
    text = json.dumps(export_json(draft()))

    assert not any(name in text for name in ("conv_1", "msg_a", "resp_c", '"me"', "w1"))


def test_markdown_is_the_path_in_view_and_nothing_can_end_its_code_blocks() -> None:
    page = export_markdown(draft())

    assert page.startswith("# A *title* of two lines\n\n## System\n\nBe brief.\n")
    assert "> Let me look." in page
    assert '## Call of `look`\n\n```\n{"at":1}\n```' in page
    assert "````\nseen ``` there\n````" in page
    assert "Another branch" not in page


def test_markdown_of_nothing_is_a_heading() -> None:
    nothing = Draft(created_at=1.0, updated_at=1.0, messages=(), head=None)

    assert export_markdown(nothing) == "# Conversation\n"
