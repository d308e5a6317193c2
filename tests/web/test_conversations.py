"""/v1/conversations as OpenAI has it, through the official client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from frontend_api.domain.generation import Accepted
from frontend_api.settings import Settings
from tests.web.fakes import TALKER, FakeCatalogue, FakeGenerator, words
from tests.web.running import served, settings


@asynccontextmanager
async def official(
    chosen: Settings | None = None, said: str = "Good day"
) -> AsyncIterator[AsyncOpenAI]:
    """Hand out the official client of a server, without retries."""
    fake = FakeGenerator([Accepted(3), *words(said)])
    async with (
        served(fake, chosen, catalogue=FakeCatalogue(TALKER)) as running,
        AsyncOpenAI(
            base_url=f"http://127.0.0.1:{running.port}/v1", api_key="x", max_retries=0
        ) as client,
    ):
        yield client


def user(text: str) -> Any:
    return {"type": "message", "role": "user", "content": text}


def texts(items: Any) -> list[str]:
    return [item.content[0].text for item in items]


async def test_a_conversation_is_made_read_changed_and_deleted() -> None:
    async with official() as client:
        made = await client.conversations.create(metadata={"topic": "demo"})
        read = await client.conversations.retrieve(made.id)
        changed = await client.conversations.update(made.id, metadata={"topic": "other"})
        deleted = await client.conversations.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            await client.conversations.retrieve(made.id)

    assert made.id.startswith("conv_")
    assert (made.object, made.metadata) == ("conversation", {"topic": "demo"})
    assert read == made
    assert changed.metadata == {"topic": "other"}
    assert (deleted.id, deleted.object, deleted.deleted) == (
        made.id,
        "conversation.deleted",
        True,
    )


async def test_items_are_listed_newest_first_or_oldest_first_and_in_pages() -> None:
    async with official() as client:
        made = await client.conversations.create(items=[user("0"), user("1")])
        added = await client.conversations.items.create(made.id, items=[user("2"), user("3")])
        newest = await client.conversations.items.list(made.id, limit=3)
        all_of_them = [
            item async for item in client.conversations.items.list(made.id, limit=3, order="asc")
        ]

    assert texts(added.data) == ["2", "3"]
    assert (added.first_id, added.last_id) == (added.data[0].id, added.data[1].id)
    assert (texts(newest.data), newest.has_more) == (["3", "2", "1"], True)
    assert texts(all_of_them) == ["0", "1", "2", "3"]


async def test_one_item_is_read_and_deleted() -> None:
    async with official() as client:
        made = await client.conversations.create(items=[user("keep"), user("drop")])
        listed = await client.conversations.items.list(made.id)
        drop = listed.data[0]
        read = await client.conversations.items.retrieve(drop.id or "", conversation_id=made.id)
        left = await client.conversations.items.delete(drop.id or "", conversation_id=made.id)
        after = await client.conversations.items.list(made.id)
        with pytest.raises(openai.NotFoundError):
            await client.conversations.items.retrieve(drop.id or "", conversation_id=made.id)

    assert read == drop
    assert left.id == made.id
    assert texts(after.data) == ["keep"]


async def test_every_kind_of_item_comes_back_as_it_was_put_in() -> None:
    items: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "input_text", "text": "Or not."}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "seen"},
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "A", "annotations": []},
                {"type": "output_text", "text": "B", "annotations": []},
            ],
        },
    ]
    async with official() as client:
        made = await client.conversations.create(items=items)
        listed: Any = await client.conversations.items.list(made.id, order="asc")

    system, developer, thought, call, output, assistant = listed.data
    assert (system.role, system.content[0].type, system.content[0].text) == (
        "system",
        "input_text",
        "Be brief.",
    )
    assert (developer.role, developer.content[0].text) == ("developer", "Or not.")
    assert (thought.type, thought.content[0].text) == ("reasoning", "Hm.")
    assert (call.type, call.call_id, call.name, call.arguments) == (
        "function_call",
        "c1",
        "look",
        "{}",
    )
    assert (output.type, output.call_id, output.output) == ("function_call_output", "c1", "seen")
    assert (assistant.content[0].type, assistant.content[0].text) == ("output_text", "AB")
    assert len({item.id for item in listed.data}) == 6
    assert {item.status for item in listed.data} == {"completed"}


async def test_an_answer_in_a_conversation_is_among_its_items() -> None:
    said = "<think>Hm.</think>Yes."
    async with official(said=said) as client:
        made = await client.conversations.create()
        response = await client.responses.create(model="demo", input="Well?", conversation=made.id)
        listed: Any = await client.conversations.items.list(made.id, order="asc")
        thought = await client.conversations.items.retrieve(
            listed.data[1].id, conversation_id=made.id
        )

    assert [item.type for item in listed.data] == ["message", "reasoning", "message"]
    assert [item.id for item in listed.data[1:]] == [item.id for item in response.output]
    assert thought == listed.data[1]


async def test_one_item_of_an_answer_is_deleted_and_the_others_stay() -> None:
    async with official(said="<think>Hm.</think>Yes.") as client:
        made = await client.conversations.create()
        await client.responses.create(model="demo", input="Well?", conversation=made.id)
        listed: Any = await client.conversations.items.list(made.id, order="asc")
        await client.conversations.items.delete(listed.data[1].id, conversation_id=made.id)
        after: Any = await client.conversations.items.list(made.id, order="asc")

    assert [item.id for item in after.data] == [listed.data[0].id, listed.data[2].id]


async def test_a_stored_item_is_added_by_reference() -> None:
    async with official() as client:
        first = await client.conversations.create(items=[user("from here")])
        item = (await client.conversations.items.list(first.id)).data[0]
        references: list[Any] = [{"type": "item_reference", "id": item.id}, {"id": item.id}]
        second = await client.conversations.create(items=references)
        copied = await client.conversations.items.list(second.id)
        with pytest.raises(openai.NotFoundError):
            await client.conversations.create(items=[{"type": "item_reference", "id": "msg_0"}])

    assert texts(copied.data) == ["from here", "from here"]
    assert item.id not in [each.id for each in copied.data]


async def test_more_than_20_items_at_once_are_refused() -> None:
    async with official() as client:
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.conversations.create(items=[user("x")] * 21)
        made = await client.conversations.create(items=[user("x")] * 20)
        with pytest.raises(openai.BadRequestError):
            await client.conversations.items.create(made.id, items=[])

    assert refusal.value.code == "array_above_max_length"


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"type": "web_search_call", "id": "x"}, "items[0].type"),
        (
            {"role": "user", "content": [{"type": "input_image", "image_url": "x"}]},
            "items[0].content[0]",
        ),
        (
            {"role": "user", "content": [{"type": "input_file", "file_id": "x"}]},
            "items[0].content[0]",
        ),
        (
            {"type": "reasoning", "id": "x", "summary": [], "encrypted_content": "x"},
            "items[0].encrypted_content",
        ),
    ],
)
async def test_what_cannot_be_kept_is_refused_by_name(item: Any, param: str) -> None:
    async with official() as client:
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.conversations.create(items=[item])

    assert (refusal.value.param, refusal.value.code) == (param, "unsupported_parameter")


async def test_include_is_refused_by_name() -> None:
    async with official() as client:
        made = await client.conversations.create()
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.conversations.items.list(made.id, include=["message.output_text.logprobs"])

    assert (refusal.value.param, refusal.value.code) == ("include", "unsupported_parameter")


@pytest.mark.parametrize(
    ("asked", "param"),
    [({"limit": 0}, "limit"), ({"limit": 101}, "limit"), ({"order": "up"}, "order")],
)
async def test_a_wrong_page_is_refused(asked: Any, param: str) -> None:
    async with official() as client:
        made = await client.conversations.create()
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.conversations.items.list(made.id, **asked)

    assert refusal.value.param == param


async def test_an_unknown_place_to_go_on_is_a_404() -> None:
    async with official() as client:
        made = await client.conversations.create(items=[user("x")])
        with pytest.raises(openai.NotFoundError) as refusal:
            await client.conversations.items.list(made.id, after="msg_0")

    assert refusal.value.param == "after"


@pytest.mark.parametrize(
    "metadata",
    [{"k" * 65: "v"}, {"k": "v" * 513}, {f"k{n}": "v" for n in range(17)}, {"k": {"$ne": None}}],
)
async def test_metadata_beyond_openais_bounds_are_refused(metadata: Any) -> None:
    async with official() as client:
        with pytest.raises(openai.BadRequestError):
            await client.conversations.create(metadata=metadata)


async def test_metadata_that_look_like_operators_are_kept_as_they_are() -> None:
    odd = {"$where": "1", "a.b": "$ne", "\x00": "\x00", "": ""}
    async with official() as client:
        made = await client.conversations.create(metadata=odd)
        read = await client.conversations.retrieve(made.id)

    assert read.metadata == odd


async def test_a_full_conversation_takes_no_more() -> None:
    async with official(settings(limits={"max_messages_per_session": 2})) as client:
        made = await client.conversations.create(items=[user("0"), user("1")])
        with pytest.raises(openai.RateLimitError) as refusal:
            await client.conversations.items.create(made.id, items=[user("2")])

    assert refusal.value.code == "session_full"


async def test_a_conversation_too_many_is_refused() -> None:
    async with official(settings(limits={"max_sessions": 1})) as client:
        await client.conversations.create()
        with pytest.raises(openai.RateLimitError) as refusal:
            await client.conversations.create()

    assert refusal.value.code == "limit_reached"


async def test_a_conversation_is_begun_without_a_body() -> None:
    fake = FakeGenerator([])
    async with served(fake, catalogue=FakeCatalogue(TALKER)) as running:
        made = await running.client.post("/v1/conversations")
        copy = await running.client.post(f"/v1/conversations/{made.json()['id']}/fork")

    assert (made.status_code, copy.status_code) == (200, 200)
