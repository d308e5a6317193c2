"""Sessions in the original service's dialect: kept, shown, rolled back, deleted."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from frontend_api.domain.errors import EngineFailed
from frontend_api.domain.generation import Accepted, ChatMessage, Delta
from tests.web.fakes import HANG, FakeGenerator, words
from tests.web.owners import owned_clients
from tests.web.running import running_app, served, settings

Turns = list[tuple[str, str]]


def said(prompt: str = "Hi", **fields: object) -> dict[str, Any]:
    return {"model-name": "demo", "prompt": prompt, "session-id": "s1", **fields}


def generator() -> FakeGenerator:
    return FakeGenerator([Accepted(3), *words("Good", " day")])


async def chat(client: httpx.AsyncClient, body: dict[str, Any]) -> str:
    response = await client.post("/chat/completions", json=body)
    assert response.status_code == 200, response.text
    return response.text


async def history(client: httpx.AsyncClient, session_id: str = "s1") -> Turns:
    response = await client.get(f"/chat/history/{session_id}")
    assert response.status_code == 200
    return [(turn["role"], turn["content"]) for turn in response.json()]


async def test_a_session_keeps_what_was_said_and_the_model_sees_it() -> None:
    fake = generator()
    async with owned_clients("me", generator=fake) as [client]:
        streamed = await chat(client, said())
        await chat(client, said("And now?"))
        turns = await history(client)

    assert "Good" in streamed
    assert turns == [
        ("user", "Hi"),
        ("assistant", "Good day"),
        ("user", "And now?"),
        ("assistant", "Good day"),
    ]
    assert fake.requests[1].prompt.messages == (  # type: ignore[union-attr]
        ChatMessage("user", "Hi"),
        ChatMessage("assistant", "Good day"),
        ChatMessage("user", "And now?"),
    )


async def test_the_system_prompt_of_a_new_session_comes_first_and_is_kept() -> None:
    fake = generator()
    brief = {"system-prompt": "Be brief."}
    async with owned_clients("me", generator=fake) as [client]:
        await chat(client, said(**brief))
        await chat(client, said("More", **brief))
        turns = await history(client)

    assert turns[0] == ("system", "Be brief.")
    assert [role for role, _ in turns].count("system") == 1
    prompt = fake.requests[1].prompt.messages  # type: ignore[union-attr]
    assert [turn.role for turn in prompt] == ["system", "user", "assistant", "user"]


async def test_another_system_prompt_holds_for_its_turn_and_is_not_kept() -> None:
    fake = generator()
    async with owned_clients("me", generator=fake) as [client]:
        await chat(client, said())
        await chat(client, said("More", **{"system-prompt": "Be long."}))
        turns = await history(client)

    prompt = fake.requests[1].prompt.messages  # type: ignore[union-attr]
    assert prompt[0] == ChatMessage("system", "Be long.")
    assert "system" not in [role for role, _ in turns]


async def test_the_turns_a_web_ui_sends_begin_a_new_session_and_come_once_in_a_stored_one() -> None:
    fake = generator()
    earlier = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": "Two"},
    ]
    async with owned_clients("me", generator=fake) as [client]:
        await chat(client, said("Three", messages=earlier))
        await chat(client, said("Four", messages=earlier))
        turns = await history(client)

    assert [text for _, text in turns] == [
        "Be brief.",
        "One",
        "Two",
        "Three",
        "Good day",
        "Four",
        "Good day",
    ]


async def test_the_last_20_turns_are_shown_and_given_to_the_model_and_the_system_always() -> None:
    fake = generator()
    async with owned_clients("me", generator=fake) as [client]:
        for number in range(13):
            await chat(client, said(f"q{number}", **{"system-prompt": "Be brief."}))
        turns = await history(client)

    prompt = fake.requests[-1].prompt.messages  # type: ignore[union-attr]
    assert turns[0] == ("system", "Be brief.")
    assert turns[1] == ("user", "q3")
    assert len(turns) == 21
    assert prompt[0].role == "system"
    assert (prompt[1].role, prompt[-1].content) == ("user", "q12")
    assert len(prompt) <= 21


async def test_all_sessions_are_listed_by_id() -> None:
    async with owned_clients("me", generator=generator()) as [client]:
        for number in range(3):
            await chat(client, said(**{"session-id": f"s{number}"}))
        made = (await client.post("/v1/conversations", json={})).json()["id"]
        ids = (await client.get("/sessions")).json()

    assert sorted(ids) == sorted(["s0", "s1", "s2", made])


async def test_a_session_of_this_dialect_is_a_conversation_and_the_other_way_round() -> None:
    async with owned_clients("me", generator=generator()) as [client]:
        await chat(client, said())
        items = (await client.get("/v1/conversations/s1/items?order=asc")).json()["data"]
        body = {"items": [{"role": "user", "content": "From there"}]}
        made = (await client.post("/v1/conversations", json=body)).json()["id"]
        turns = await history(client, made)

    assert [item["content"][0]["text"] for item in items] == ["Hi", "Good day"]
    assert turns == [("user", "From there")]


@pytest.mark.parametrize(
    ("amount", "left"),
    [
        (0, ["Be brief.", "a", "Good day", "b", "Good day"]),
        (1, ["Be brief.", "a", "Good day", "b"]),
        (2, ["Be brief.", "a", "Good day"]),
        (4, ["Be brief."]),
        (99, ["Be brief."]),
    ],
)
async def test_a_rollback_drops_the_last_turns_and_never_the_system(
    amount: int, left: list[str]
) -> None:
    async with owned_clients("me", generator=generator()) as [client]:
        await chat(client, said("a", **{"system-prompt": "Be brief."}))
        await chat(client, said("b"))
        response = await client.post("/chat/history/s1/rollback", json={"amount": amount})
        turns = await history(client)

    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert [text for _, text in turns] == left


async def test_what_was_rolled_back_is_still_in_the_tree_and_a_new_turn_is_its_sibling() -> None:
    async with owned_clients("me", generator=generator()) as [client]:
        await chat(client, said("a"))
        await client.post("/chat/history/s1/rollback", json={"amount": 1})
        await client.post("/chat/history/s1/rollback", json={"amount": 1})
        await chat(client, said("b"))
        tree = (await client.get("/v1/conversations/s1/tree")).json()["data"]
        turns = await history(client)

    assert [text for _, text in turns] == ["b", "Good day"]
    assert [message["parent_id"] for message in tree].count(None) == 2
    assert len(tree) == 4


@pytest.mark.parametrize("body", [{}, {"amount": -1}, {"amount": "2"}, {"amount": 1.5}])
async def test_a_wrong_rollback_is_refused(body: dict[str, object]) -> None:
    async with owned_clients("me", generator=generator()) as [client]:
        await chat(client, said())
        response = await client.post("/chat/history/s1/rollback", json=body)

    assert response.status_code == 400
    assert response.json()["error"]["param"] == "amount"


async def test_a_deleted_session_is_gone() -> None:
    async with owned_clients("me", generator=generator()) as [client]:
        await chat(client, said())
        response = await client.delete("/chat/history/s1")
        again = await client.delete("/chat/history/s1")
        gone = await client.get("/chat/history/s1")

    assert (response.status_code, response.content) == (204, b"")
    assert (again.status_code, gone.status_code) == (404, 404)


async def test_a_session_deleted_while_it_answers_is_stopped_and_stays_deleted() -> None:
    fake = FakeGenerator([Accepted(3), Delta(0, "Good", 1), HANG])
    async with served(fake) as running:
        async with running.client.stream("POST", "/chat/completions", json=said()) as response:
            lines = response.aiter_lines()
            first = await anext(lines)
            deleted = await running.client.delete("/chat/history/s1")
            rest = [line async for line in lines]
        await asyncio.wait_for(fake.closed.wait(), 5)
        gone = await running.client.get("/chat/history/s1")

    assert first == "data: Good"
    assert not any("__ERROR__" in line for line in rest)
    assert (deleted.status_code, gone.status_code) == (204, 404)


async def test_a_client_that_leaves_stops_the_answer_and_its_text_stays() -> None:
    fake = FakeGenerator([Accepted(3), Delta(0, "Good", 1), HANG])
    async with served(fake) as running:
        async with running.client.stream("POST", "/chat/completions", json=said()) as response:
            await anext(response.aiter_lines())
        await asyncio.wait_for(fake.closed.wait(), 5)
        turns = await history(running.client)
        fake.steps = [Accepted(3), *words("Again")]
        await chat(running.client, said("Go on"))
        after = await history(running.client)

    assert turns == [("user", "Hi"), ("assistant", "Good")]
    assert after[2:] == [("user", "Go on"), ("assistant", "Again")]


async def test_a_failure_in_a_session_is_told_in_the_stream() -> None:
    fake = FakeGenerator([Accepted(3), Delta(0, "Good", 1), EngineFailed("The engine broke.")])
    async with owned_clients("me", generator=fake) as [client]:
        streamed = await chat(client, said())

    assert streamed == "data: Good\n\ndata: __ERROR__:The engine broke.\n\n"


async def test_an_answer_cut_by_a_shutdown_does_not_end_as_if_it_were_whole() -> None:
    fake = FakeGenerator([Accepted(3), Delta(0, "Good", 1), HANG])
    async with (
        served(fake) as server,
        server.client.stream("POST", "/chat/completions", json=said()) as response,
    ):
        lines = response.aiter_lines()
        first = await anext(lines)
        server.generations.drain(0.1)
        rest = [line async for line in lines if line]

    assert first == "data: Good"
    assert rest == ["data: __ERROR__:The server is shutting down."]


async def test_a_full_store_refuses_new_sessions_and_serves_those_there_are() -> None:
    chosen = settings(limits={"max_sessions": 1})
    async with owned_clients("me", generator=generator(), chosen=chosen) as [client]:
        await chat(client, said())
        refused = await client.post("/chat/completions", json=said(**{"session-id": "s2"}))
        await chat(client, said("More"))
        turns = await history(client)

    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "limit_reached"
    assert len(turns) == 4


async def test_the_socket_continues_a_session() -> None:
    async with running_app(generator()) as client:
        frames = []
        for _ in range(2):
            async with client.websocket("/chat/ws") as socket:
                await socket.send(json.dumps(said()))
                while frame := await socket.receive():
                    frames.append(frame)
        turns = await (await client.get("/chat/history/s1")).get_json()

    assert "".join(map(str, frames)) == "Good day" * 2
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 2


async def test_an_answer_without_a_session_is_kept_nowhere() -> None:
    async with owned_clients("me", generator=generator()) as [client]:
        await chat(client, {"model-name": "demo", "prompt": "Hi"})
        ids = (await client.get("/sessions")).json()

    assert ids == []


async def test_nobody_sees_the_sessions_of_another() -> None:
    async with owned_clients("me", "you", generator=generator()) as [mine, yours]:
        await chat(mine, said())
        statuses = [
            (await yours.get("/chat/history/s1")).status_code,
            (await yours.delete("/chat/history/s1")).status_code,
            (await yours.post("/chat/history/s1/rollback", json={"amount": 1})).status_code,
        ]
        ids = (await yours.get("/sessions")).json()
        await chat(yours, said("Mine"))
        turns = await history(yours)
        kept = await history(mine)

    assert statuses == [404, 404, 404]
    assert ids == []
    assert turns == [("user", "Mine"), ("assistant", "Good day")]
    assert kept == [("user", "Hi"), ("assistant", "Good day")]
