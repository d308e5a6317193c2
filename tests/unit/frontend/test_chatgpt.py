"""Reading ChatGPT's conversations.json."""

from typing import Any

import orjson
import pytest

from frontend_api.domain.drafts import Draft
from frontend_api.domain.errors import BadRequest
from frontend_api.domain.messages import Called, Item, Returned, Said, Thought
from frontend_api.web.wire_import import parse_import

Json = dict[str, Any]


def said(role: str, text: str, **more: Any) -> Json:
    content = {"content_type": "text", "parts": [text]}
    return {"id": "x", "author": {"role": role, "name": None}, "content": content, **more}


def node(parent: str | None, message: Json | None = None) -> Json:
    return {"parent": parent, "children": [], "message": message}


def read(mapping: Json, **more: Any) -> Draft:
    (draft,) = parse_import(orjson.dumps({"mapping": mapping, **more}))
    return draft


def items(draft: Draft) -> list[Item]:
    return [message.said[0] for message in draft.messages]


def test_branches_and_the_leaf_in_view_are_kept() -> None:
    draft = read(
        {
            "root": node(None),
            "a": node("root", said("user", "Hi", create_time=3.5)),
            "b": node("a", said("assistant", "One")),
            "c": node("a", said("assistant", "Two")),
        },
        current_node="c",
        title="  A\ntitle ",
        create_time=2.0,
        update_time=4.0,
    )

    assert items(draft) == [Said("user", "Hi"), Said("assistant", "One"), Said("assistant", "Two")]
    assert [message.parent for message in draft.messages] == [None, 0, 0]
    assert [message.created_at for message in draft.messages] == [3.5, 3.5, 3.5]
    assert (draft.head, draft.title, draft.title_source) == (2, "A title", "user")
    assert (draft.created_at, draft.updated_at) == (2.0, 4.0)


def test_what_is_hidden_or_empty_is_passed_over_and_its_children_move_up() -> None:
    hidden = {"is_visually_hidden_from_conversation": True}
    context = {"content_type": "model_editable_context", "model_set_context": "…"}
    draft = read(
        {
            "root": node(None, said("system", "")),
            "a": node("root", said("system", "secret", metadata=hidden)),
            "b": node("a", {**said("assistant", ""), "content": context}),
            "c": node("b", said("user", "Hi")),
            "d": node("c", said("assistant", "")),
        },
        current_node="d",
    )

    assert items(draft) == [Said("user", "Hi")]
    assert (draft.messages[0].parent, draft.head) == (None, 0)


def test_tools_and_thoughts_become_items() -> None:
    code = {"content_type": "code", "language": "unknown", "text": '{"q":"sea"}'}
    program = {"content_type": "code", "language": "python", "text": "print(1)"}
    thoughts = {"content_type": "thoughts", "thoughts": [{"summary": "Hm", "content": "So."}]}
    output = {"content_type": "execution_output", "text": "1"}
    draft = read(
        {
            "a": node(None, said("user", "Do")),
            "b": node("a", {**said("assistant", ""), "content": thoughts}),
            "c": node("b", {**said("assistant", ""), "content": code, "recipient": "web.run"}),
            "d": node("c", {**said("tool", ""), "content": output}),
            "e": node("d", {**said("assistant", ""), "content": program, "recipient": "python"}),
            "f": node("e", said("assistant", "Done", recipient="all")),
        }
    )

    assert items(draft) == [
        Said("user", "Do"),
        Thought("Hm\nSo."),
        Called("c", "web.run", '{"q":"sea"}'),
        Returned("c", "1"),
        Called("e", "python", '{"input": "print(1)"}'),
        Said("assistant", "Done"),
    ]


def test_a_tools_answer_to_nothing_is_left_out() -> None:
    draft = read({"a": node(None, said("user", "Hi")), "b": node("a", said("tool", "x"))})

    assert items(draft) == [Said("user", "Hi")]


def test_parts_that_are_no_text_leave_their_name() -> None:
    image = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}
    voice = {"content_type": "audio_transcription", "text": "spoken"}
    content = {"content_type": "multimodal_text", "parts": [image, voice, "typed"]}
    draft = read({"a": node(None, {**said("user", ""), "content": content})})

    assert items(draft) == [Said("user", "[image_asset_pointer]\nspoken\ntyped")]


def test_nodes_in_a_circle_are_never_reached_and_a_lost_parent_makes_a_root() -> None:
    draft = read(
        {
            "a": node("b", said("user", "round")),
            "b": node("a", said("user", "and round")),
            "c": node("gone", said("user", "Hi")),
        },
        current_node="a",
    )

    assert items(draft) == [Said("user", "Hi")]
    assert draft.head == 0


def test_a_conversation_of_nothing_is_empty() -> None:
    draft = read({"root": node(None)}, current_node="root")

    assert (draft.messages, draft.head) == ((), None)


def test_a_long_conversation_is_read() -> None:
    mapping = {"n0": node(None, said("user", "0"))}
    mapping |= {f"n{n}": node(f"n{n - 1}", said("user", str(n))) for n in range(1, 3000)}

    draft = read(mapping)

    assert len(draft.messages) == 3000
    assert draft.messages[-1].parent == 2998


@pytest.mark.parametrize(
    "document",
    [
        {"mapping": []},
        {"mapping": {"a": node(None, {"author": {}, "content": {}})}},
        {"mapping": {}, "create_time": 1e300},
        {"mapping": {"a": {"parent": {"$ne": 1}}}},
        [],
        "x",
        [{"mapping": {}}, 5],
    ],
)
def test_what_is_no_conversation_is_refused(document: object) -> None:
    with pytest.raises(BadRequest):
        parse_import(orjson.dumps(document))


def test_what_is_wrong_is_told_with_its_place_in_the_document() -> None:
    with pytest.raises(BadRequest) as refusal:
        parse_import(orjson.dumps([{"mapping": {}}, {"mapping": {}, "title": 5}]))

    assert refusal.value.param == "conversations[1].title"
    assert "'conversations[1].title'" in refusal.value.message
