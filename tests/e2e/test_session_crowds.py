"""Sessions under many clients: at once, gone at random points, back at any point, and hostile."""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator

import httpx
import orjson
import pytest

from tests.e2e.conch_process import LIMIT_S, Conch
from tests.e2e.conftest import DEMO
from tests.e2e.injection import attacks
from tests.e2e.session_state import CONVERSATIONS, session_ids, tree_of, until_at_rest
from tests.e2e.workers import Json, begun, clients_of, got, is_gapless, told
from tests.web.responses_asked import URL, text_of
from triton_backend.llm.engines.simulated import TEXT
from triton_backend.llm.tokenizer import open_tokenizer

NUM_SESSIONS = 200
NUM_LEAVING = 1000
# So that the machine makes answers rather than connections.
NUM_AT_ONCE = 64
NUM_TOKENS = 16
SPOKEN: Json = {"model": "steady", "max_output_tokens": NUM_TOKENS}


@pytest.fixture
async def http(stored: Conch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of any worker, for many requests at once."""
    async with httpx.AsyncClient(base_url=stored.url, timeout=LIMIT_S) as client:
        yield client


async def served(http: httpx.AsyncClient, method: str, path: str, body: Json | None = None) -> Json:
    """Return the answer, asked for again as long as the server says "later"."""
    async with asyncio.timeout(LIMIT_S):
        # Asking is the only way to hear of it.
        while (answer := await http.request(method, path, json=body)).status_code in {409, 503}:  # noqa: ASYNC110
            await asyncio.sleep(float(answer.headers.get("retry-after", 1)))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_many_sessions_at_once_do_not_mix(stored: Conch, http: httpx.AsyncClient) -> None:
    async def two_turns(number: int) -> bool:
        asked = {**SPOKEN, "input": f"I am number {number}."}
        first = await served(http, "POST", URL, asked)
        asked = {**SPOKEN, "input": f"Again {number}.", "previous_response_id": first["id"]}
        second = await served(http, "POST", URL, asked)
        items = await items_of(http, second["conversation"]["id"])
        expected = [f"I am number {number}.", text_of(first), f"Again {number}.", text_of(second)]
        return items == expected

    before = await session_ids(http)

    are_right = await asyncio.gather(*map(two_turns, range(NUM_SESSIONS)))

    assert all(are_right)
    await until_at_rest(stored)
    assert len(await session_ids(http) - before) == NUM_SESSIONS


async def items_of(http: httpx.AsyncClient, session_id: str) -> list[str]:
    path = f"{CONVERSATIONS}/{session_id}/items?order=asc"
    items = (await served(http, "GET", path))["data"]
    return ["".join(part["text"] for part in item["content"]) for item in items]


def asking(name: str) -> bytes:
    """Return a request for a stream, as bytes."""
    body = orjson.dumps({**SPOKEN, "input": name, "stream": True})
    head = f"POST {URL} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
    head += "content-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def leave(conch: Conch, name: str, chance: random.Random) -> bytes:
    """Ask for a stream and vanish at some point of it, politely or with a reset.

    Returns what came before, so much of it as was waited for.
    """
    host, port = conch.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(asking(name))
        # Before the first byte, in the middle, or after the end; a stream has some 8 kB.
        wanted = 0 if chance.random() < 0.2 else chance.randrange(1, 9_000)
        try:
            seen = await asyncio.wait_for(reader.readexactly(wanted), LIMIT_S)
        except asyncio.IncompleteReadError as ended:
            seen = ended.partial
        if chance.random() < 0.5:
            reset = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        return seen
    finally:
        writer.close()
        await writer.wait_closed()


async def test_clients_that_vanish_leave_whole_answers_and_nothing_running(
    stored: Conch, http: httpx.AsyncClient
) -> None:
    chance, gate = random.Random(41), asyncio.Semaphore(NUM_AT_ONCE)
    before = await session_ids(http)

    async def one(number: int) -> str | None:
        """Return what was asked if an answer had begun to come."""
        async with gate:
            name = f"Vanishing {number}"
            seen = await leave(stored, name, chance)
        return name if seen.startswith(b"HTTP/1.1 200") else None

    told_ = await asyncio.gather(*map(one, range(NUM_LEAVING)))
    await until_at_rest(stored)
    trees = [await tree_of(http, made) for made in await session_ids(http) - before]

    # Who left before anything came may have an answer or none.
    asked = [said_in(tree[0]) for tree in trees]
    assert set(told_) - {None} <= set(asked)
    assert len(set(asked)) == len(asked) > NUM_LEAVING // 2
    assert {tuple(message["status"] for message in tree) for tree in trees} == {
        ("completed", "incomplete")
    }
    assert [text for tree in trees if not is_whole_text(text := said_in(tree[1]))] == []
    assert {tree[1]["usage"]["output_tokens"] for tree in trees} == {NUM_TOKENS}


def said_in(message: Json) -> str:
    return "".join(part["text"] for item in message["items"] for part in item["content"])


def is_whole_text(text: str) -> bool:
    """Whether this is so many tokens of what the simulated model says, each once."""
    # A character of several tokens may be cut at either end.
    whole = text.strip("\N{REPLACEMENT CHARACTER}")
    num_tokens = len(TOKENIZER.encode(whole, has_special_tokens=False))
    return whole in TEXT + TEXT and abs(num_tokens - NUM_TOKENS) <= MAX_CUT_TOKENS


TOKENIZER = open_tokenizer(DEMO / "1")
MAX_CUT_TOKENS = 4


async def test_every_event_can_be_the_last_before_a_return_to_the_other_worker(
    stored: Conch,
) -> None:
    first, second = stored.workers()
    # Of ten tokens; fewer where two of them came at once.
    most = 18

    async with clients_of(stored, first, 1) as (here,), clients_of(stored, second, most) as others:
        async with begun(here, max_output_tokens=10) as stream:
            await stream.read(2)
            # While it runs, from the checkpoints.
            live = [asyncio.create_task(told(each, stream.id)) for each in others]
            seen = await stream.rest()
        for followed in await asyncio.gather(*live):
            assert followed == seen
        returns = enumerate(others[: len(seen)])
        found = await asyncio.gather(*(told(each, stream.id, number) for number, each in returns))

    assert is_gapless(seen)
    assert found == [seen[number + 1 :] for number in range(len(seen))]


async def test_operators_in_any_place_find_nothing_and_break_nothing(
    stored: Conch, http: httpx.AsyncClient
) -> None:
    kept = await served(http, "POST", URL, {**SPOKEN, "input": "Mine."})
    before = await session_ids(http)
    description = (await http.get("/openapi.json")).json()
    waiting, wrong = list(attacks(description)), []

    async def attack() -> None:
        while waiting:
            method, path, body = waiting.pop()
            answer = await http.request(method, path, json=body)
            is_found = answer.status_code == 200 and "x%00y" in path and "?" not in path
            # The page of the web chat is the same for every session.
            is_found = is_found and answer.headers["content-type"] == "application/json"
            if answer.status_code >= 500 or is_found:
                wrong.append((method, path, body, answer.status_code, answer.text))

    await asyncio.gather(*(attack() for _ in range(8)))

    assert wrong == []
    assert before <= await session_ids(http)
    assert await got(http, kept["id"]) == kept


async def test_operators_are_kept_as_the_text_they_are(http: httpx.AsyncClient) -> None:
    metadata = {"$where": "sleep(9)", "a.b.$[]": '{"$ne":null}', "$set": "x"}

    made = await http.post(CONVERSATIONS, json={"metadata": metadata, "items": [SAID]})
    session_id = made.json()["id"]
    seen = (await http.get(f"{CONVERSATIONS}/{session_id}")).json()
    found = (await http.get(f"{CONVERSATIONS}/search", params={"q": SAID["content"]})).json()
    none = (await http.get(f"{CONVERSATIONS}/search", params={"q": ".*\\$ne.*"})).json()

    assert seen["metadata"] == metadata
    assert session_id in [match["conversation_id"] for match in found["data"]]
    assert none["data"] == []


SAID = {"type": "message", "role": "user", "content": 'a{"$ne":null}.*$where'}
