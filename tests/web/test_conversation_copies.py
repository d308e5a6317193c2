"""Conversations carried out and in: export, import."""

import pytest

from tests.web.conversing import ALL, Json, alone, ask, get, in_view, made, post, user


async def test_what_was_exported_is_imported_and_exported_the_same() -> None:
    async with alone("<think>Hm.</think>Yes.") as client:
        session_id = await made(client, "a")
        await post(client, f"{ALL}/{session_id}", {"metadata": {"k": "v"}})
        await ask(client, session_id, "b")
        head = (await get(client, f"{ALL}/{session_id}/tree"))["data"][0]["id"]
        await post(client, f"{ALL}/{session_id}/head", {"message_id": head})
        await ask(client, session_id, "c")
        await post(client, f"{ALL}/{session_id}/head", {"message_id": head})
        first = await get(client, f"{ALL}/{session_id}/export")
        answer = await post(client, f"{ALL}/import", first)
        second = await get(client, f"{ALL}/{answer['data'][0]['id']}/export")

    assert second == first
    assert (len(first["messages"]), first["head"]) == (5, 0)
    assert answer["refused"] == []


async def test_a_message_that_was_deleted_is_exported_without_its_words() -> None:
    async with alone() as client:
        session_id = await made(client, "secret", "public")
        items = (await get(client, f"{ALL}/{session_id}/items?order=asc"))["data"]
        await client.delete(f"{ALL}/{session_id}/items/{items[0]['id']}")
        document = await client.get(f"{ALL}/{session_id}/export")
        page = await client.get(f"{ALL}/{session_id}/export?format=markdown")
        answer = await post(client, f"{ALL}/import", document.json())
        again = await in_view(client, answer["data"][0]["id"])

    assert "secret" not in document.text.replace(document.json()["title"], "")
    assert "public" in page.text
    assert again == ["public"]


async def test_markdown_shows_the_path_in_view() -> None:
    async with alone("<think>Hm.</think>Yes.") as client:
        session_id = await made(client)
        await ask(client, session_id, "Why?")
        page = await client.get(f"{ALL}/{session_id}/export?format=markdown")

    assert page.headers["content-type"].startswith("text/markdown")
    assert page.headers["content-disposition"] == 'attachment; filename="conversation.md"'
    assert page.text == (
        "# Why?\n\n## User\n\nWhy?\n\n## Assistant, thinking\n\n> Hm.\n\n## Assistant\n\nYes.\n"
    )


async def test_an_export_of_chatgpt_is_imported() -> None:
    conversation = {
        "title": "From elsewhere",
        "create_time": 1.5,
        "mapping": {
            "root": {"id": "root", "message": None, "parent": None, "children": ["a"]},
            "a": {"id": "a", "parent": "root", "message": _said("user", "Hello")},
            "b": {"id": "b", "parent": "a", "message": _said("assistant", "Hi")},
        },
        "current_node": "b",
    }
    async with alone() as client:
        answer = await post(client, f"{ALL}/import", [conversation, conversation])
        ids = [each["id"] for each in answer["data"]]
        texts = await in_view(client, ids[1])
        reply = await ask(client, ids[0], "And now?")

    assert len(ids) == 2
    assert answer["data"][0]["x_conch"]["title"] == "From elsewhere"
    assert texts == ["Hello", "Hi"]
    assert reply["status"] == "completed"


async def test_an_import_tells_what_there_was_no_room_for() -> None:
    one = {"mapping": {"a": {"message": _said("user", "Hello")}}}
    two = {"mapping": {**one["mapping"], "b": {"parent": "a", "message": _said("user", "More")}}}
    async with alone(limits={"max_messages_per_session": 1}) as client:
        answer = await post(client, f"{ALL}/import", [two, one])
        refused = await post(client, f"{ALL}/import", two, status=429)

    assert len(answer["data"]) == 1
    assert [(each["index"], each["code"]) for each in answer["refused"]] == [(0, "session_full")]
    assert refused["error"]["code"] == "session_full"


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"format": "other"},
        {"head": 7},
        {"title": "x" * 201},
        {"created_at": -1.0},
        {"messages": [{"parent": 0, "created_at": 1.0, "items": []}]},
        {"messages": [{"parent": None, "created_at": 1.0, "items": [{"type": "image"}]}]},
        {"more": 1},
    ],
)
async def test_a_wrong_document_is_refused(change: Json) -> None:
    async with alone() as client:
        document = await get(client, f"{ALL}/{await made(client)}/export")
        await post(client, f"{ALL}/import", {**document, **change}, status=400)
        listed = await get(client, ALL)

    assert len(listed["data"]) == 1


async def test_an_import_may_be_larger_than_other_bodies_up_to_its_own_limit() -> None:
    limits = {"max_body_bytes": 2000, "max_import_bytes": 20_000}
    long = {"mapping": {"a": {"message": _said("user", "x" * 10_000)}}}
    async with alone(limits=limits) as client:
        await post(client, f"{ALL}/import", long)
        await post(client, ALL, {"items": [user("x" * 10_000)]}, status=413)
        await post(client, f"{ALL}/import", [long, long], status=413)


def _said(role: str, text: str) -> Json:
    return {"author": {"role": role}, "content": {"content_type": "text", "parts": [text]}}
