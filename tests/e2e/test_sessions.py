"""What a user does with sessions, by the official client and in every dialect, on real parts.

The bundled model shows that what was said is remembered; the simulated ones do the rest.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, NotFoundError, UnprocessableEntityError
from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.conch_process import LIMIT_S, Conch, until_async
from tests.e2e.workers import (
    Json,
    a_client_of_each,
    begun,
    clients_of,
    got,
    is_gapless,
    spoken,
    told,
)
from tests.web.responses_asked import URL, text_of

NAME, QUESTION = "My name is Ada.", "What is my name?"
SPOKEN: Json = {"model": "steady", "max_output_tokens": 16}


def said(text: str) -> Json:
    return {"type": "message", "role": "user", "content": text}


def roles_and_texts(items: Sequence[Json]) -> list[tuple[str, str]]:
    return [(item["role"], "".join(part["text"] for part in item["content"])) for item in items]


async def items_of(http: httpx.AsyncClient, session_id: str) -> list[tuple[str, str]]:
    answer = await http.get(f"/v1/conversations/{session_id}/items", params={"order": "asc"})
    assert answer.status_code == 200, answer.text
    return roles_and_texts(answer.json()["data"])


async def chat(http: httpx.AsyncClient, content: str, **fields: Any) -> Json:
    messages = [{"role": "user", "content": content}]
    body = {"model": "demo", "temperature": 0, "messages": messages, **fields}
    answer = await http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def content_of(completion: Json) -> str:
    return str(completion["choices"][0]["message"]["content"])


async def original_chat(http: httpx.AsyncClient, session_id: str, prompt: str, **rest: Any) -> str:
    body = {"model-name": "steady", "max-token": 8, "prompt": prompt, "session-id": session_id}
    answer = await http.post("/chat/completions", json={**body, **rest})
    assert answer.status_code == 200, answer.text
    lines = [line for line in answer.text.split("\n") if line.startswith("data: ")]
    return "".join(line.removeprefix("data: ") for line in lines)


async def test_a_response_remembers_what_was_told_before_it(openai: AsyncOpenAI) -> None:
    told_ = await openai.responses.create(model="demo", input=NAME, temperature=0)
    asked = await openai.responses.create(
        model="demo", input=QUESTION, temperature=0, previous_response_id=told_.id
    )
    inputs = await openai.responses.input_items.list(asked.id, order="asc")

    assert "Ada" in asked.output_text
    told_before = roles_and_texts([item.model_dump() for item in inputs.data])
    assert [text for _, text in told_before] == [NAME, told_.output_text, QUESTION]


async def test_a_conversation_remembers_over_all_dialects(
    openai: AsyncOpenAI, http: httpx.AsyncClient
) -> None:
    conversation = await openai.conversations.create(metadata={"topic": "names"})
    first = await openai.responses.create(
        model="demo", input=NAME, temperature=0, conversation=conversation.id
    )

    by_chat = content_of(await chat(http, QUESTION, session=conversation.id))
    history = (await http.get(f"/chat/history/{conversation.id}")).json()

    assert "Ada" in by_chat
    expected = [("user", NAME), ("assistant", first.output_text), ("user", QUESTION)]
    assert await items_of(http, conversation.id) == [*expected, ("assistant", by_chat)]
    assert [(turn["role"], turn["content"]) for turn in history[:3]] == expected


async def test_a_chat_completion_without_a_session_is_stateless(http: httpx.AsyncClient) -> None:
    before = (await http.get("/sessions")).json()

    await chat(http, NAME)
    forgot = content_of(await chat(http, QUESTION))

    assert "Ada" not in forgot
    assert sorted((await http.get("/sessions")).json()) == sorted(before)


async def test_a_stream_is_what_is_kept_until_it_is_deleted(openai: AsyncOpenAI) -> None:
    stream = await openai.responses.create(input="Count.", stream=True, **SPOKEN)
    seen = [event async for event in stream]
    response = seen[-1].response  # type: ignore[union-attr]

    kept = await openai.responses.retrieve(response.id)
    again = await openai.responses.retrieve(response.id, stream=True, starting_after=5)
    replayed = [event async for event in again]
    await openai.responses.delete(response.id)

    assert kept == response
    assert replayed == seen[6:]
    with pytest.raises(NotFoundError):
        await openai.responses.retrieve(response.id)


async def test_a_background_response_is_followed_from_the_other_worker(conch: Conch) -> None:
    async with a_client_of_each(conch) as (here, there):
        asked = {**SPOKEN, "model": "slow", "input": "Count.", "background": True}
        begun_ = (await here.post(URL, json=asked)).json()
        found = await told(there, begun_["id"])

        assert begun_["status"] in {"queued", "in_progress"}
        assert is_gapless(found)
        assert found[-1]["response"] == await got(here, begun_["id"])
        assert spoken(found) == text_of(found[-1]["response"])


async def test_a_conversation_and_its_items_live_and_go(openai: AsyncOpenAI) -> None:
    conversation = await openai.conversations.create(items=[said("One.")])  # type: ignore[list-item]
    items = openai.conversations.items
    added = await items.create(conversation.id, items=[said("Two."), said("Three.")])  # type: ignore[list-item]
    await openai.conversations.update(conversation.id, metadata={"topic": "numbers"})
    await items.delete(added.data[0].id or "", conversation_id=conversation.id)
    left = [item async for item in items.list(conversation.id, order="asc", limit=1)]
    one = await items.retrieve(added.data[1].id or "", conversation_id=conversation.id)
    found = await openai.conversations.retrieve(conversation.id)
    await openai.conversations.delete(conversation.id)

    texts = roles_and_texts([item.model_dump() for item in left])
    assert texts == [("user", "One."), ("user", "Three.")]
    assert one == left[1]
    assert found.metadata == {"topic": "numbers"}
    with pytest.raises(NotFoundError):
        await openai.conversations.retrieve(conversation.id)


async def test_another_answer_is_a_branch_and_both_are_kept(http: httpx.AsyncClient) -> None:
    first = (await http.post(URL, json={**SPOKEN, "input": "Count."})).json()
    session_id = first["conversation"]["id"]
    asked = {**SPOKEN, "model": "demo", "session": session_id, "messages": [said_chat("Hello")]}
    asked.pop("max_output_tokens")
    await http.post("/v1/chat/completions", json=asked)
    path = f"/v1/conversations/{session_id}"

    await http.post(f"{path}/head", json={"message_id": first["id"]})
    fork = (await http.post(f"{path}/fork", json={})).json()
    exported = (await http.get(f"{path}/export")).content
    imported = (await http.post("/v1/conversations/import", content=exported)).json()["data"][0]

    assert await items_of(http, fork["id"]) == await items_of(http, session_id)
    assert len(await items_of(http, session_id)) == 2
    assert await items_of(http, imported["id"]) == await items_of(http, session_id)
    assert len((await http.get(f"/v1/conversations/{imported['id']}/tree")).json()["data"]) == 4


def said_chat(text: str) -> Json:
    return {"role": "user", "content": text}


async def test_a_key_sent_many_times_to_both_workers_makes_one_answer(conch: Conch) -> None:
    key = {"idempotency-key": "the-same-for-all"}
    asked = {**SPOKEN, "input": "Count."}

    async with AsyncExitStack() as stack:
        clients = [
            client
            for worker in conch.workers()
            for client in await stack.enter_async_context(clients_of(conch, worker, 10))
        ]
        answers = await asyncio.gather(
            *(client.post(URL, json=asked, headers=key) for client in clients)
        )
        other = await clients[0].post(URL, json={**asked, "input": "Stop."}, headers=key)
        session_id = answers[0].json()["conversation"]["id"]

        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        assert len(await items_of(clients[1], session_id)) == 2
        assert other.status_code == 422


async def test_the_official_client_is_told_of_a_reused_key(openai: AsyncOpenAI) -> None:
    key = {"Idempotency-Key": "used-twice"}
    await openai.conversations.create(metadata={"a": "1"}, extra_headers=key)

    with pytest.raises(UnprocessableEntityError):
        await openai.conversations.create(metadata={"a": "2"}, extra_headers=key)


async def until_end(socket: ClientConnection, stream_id: str) -> list[Json]:
    """Return the events of one stream up to its end; others are passed over."""
    seen: list[Json] = []
    while not (seen and seen[-1]["type"] in {"response.incomplete", "response.completed"}):
        event = json.loads(await socket.recv())
        if event.get("stream_id") == stream_id:
            seen.append(event)
    return seen


async def test_a_socket_runs_several_and_another_socket_resumes(conch: Conch) -> None:
    url = conch.url.replace("http://", "ws://") + URL
    create = {"type": "response.create", "input": "Count.", **SPOKEN}
    async with asyncio.timeout(LIMIT_S), connect(url, proxy=None) as socket:
        for name, model in (("long", "slow"), ("short", "steady")):
            await socket.send(json.dumps({**create, "stream_id": name, "model": model}))
        short = await until_end(socket, "short")
        async with connect(url, proxy=None) as other:
            running = await got_running(conch)
            resume = {"type": "response.resume", "response_id": running, "stream_id": "again"}
            await other.send(json.dumps(resume))
            first = json.loads(await other.recv())
            await other.send(json.dumps({"type": "response.cancel", "response_id": running}))
            rest = await until_end(other, "again")

    assert is_gapless(short)
    assert is_gapless([first, *rest])
    assert rest[-1]["response"]["status"] == "cancelled"


async def got_running(conch: Conch) -> str:
    """Return the id of the one response that runs."""
    async with httpx.AsyncClient(base_url=conch.url, timeout=LIMIT_S) as http:
        page = (await http.get("/v1/conversations")).json()["data"]
        return next(str(each["x_conch"]["head"]) for each in page if each["x_conch"]["is_running"])


async def test_the_original_dialect_keeps_rolls_back_and_deletes(http: httpx.AsyncClient) -> None:
    path = "/chat/history/my-own-name"
    await original_chat(http, "my-own-name", "One.", **{"system-prompt": "Be brief."})
    first = (await http.get(path)).json()
    await original_chat(http, "my-own-name", "Two.")
    second = (await http.get(path)).json()

    rolled = (await http.post(f"{path}/rollback", json={"amount": 2})).json()
    third = (await http.get(path)).json()
    listed = (await http.get("/sessions")).json()
    deleted = await http.delete(path)

    assert [turn["role"] for turn in first] == ["system", "user", "assistant"]
    assert [turn["content"] for turn in second[3:4]] == ["Two."]
    assert rolled == {"status": "ok"}
    assert third == first
    assert "my-own-name" in listed
    assert deleted.status_code == 204
    assert (await http.get(path)).status_code == 404


async def test_a_raw_socket_continues_a_session(conch: Conch, http: httpx.AsyncClient) -> None:
    url = conch.url.replace("http://", "ws://") + "/chat/ws"
    asked = {"model-name": "demo", "temperature": 0, "session-id": "raw", "prompt": NAME}

    async with asyncio.timeout(LIMIT_S), connect(url, proxy=None) as socket:
        await socket.send(json.dumps(asked))
        first = "".join([str(frame) async for frame in socket])
    async with asyncio.timeout(LIMIT_S), connect(url, proxy=None) as socket:
        await socket.send(json.dumps({**asked, "prompt": QUESTION}))
        second = "".join([str(frame) async for frame in socket])

    assert "Ada" in second
    expected = [("user", NAME), ("assistant", first), ("user", QUESTION), ("assistant", second)]
    assert await items_of(http, "raw") == expected


async def test_a_session_deleted_elsewhere_stops_and_stays_away(conch: Conch) -> None:
    async with a_client_of_each(conch) as (here, there):
        async with begun(here, max_output_tokens=300, ignore_eos=True) as stream:
            await stream.read(3)
            session_id = stream.seen[0]["response"]["conversation"]["id"]
            answer = await there.delete(f"/v1/conversations/{session_id}")
            await asyncio.wait_for(stream.rest(), LIMIT_S)

        assert answer.status_code == 200
        assert stream.seen[-1]["response"]["status"] == "cancelled"
        assert (await there.get(f"/v1/conversations/{session_id}")).status_code == 404
        assert (await there.get(f"{URL}/{stream.id}")).status_code == 404
    await until_async(lambda: conch.gauge("conch_running_sequences", "slow") == 0, "it stopped")
