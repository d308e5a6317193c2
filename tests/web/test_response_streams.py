"""Streams of responses that clients leave and come back to, on a real uvicorn."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import TypeAdapter

from frontend_api.adapters.sqlite import SqliteStore
from frontend_api.domain.errors import BackendLost
from frontend_api.domain.generation import Accepted
from frontend_api.web.answer_types_events import StreamEvent
from tests.web.fakes import HANG, Step, words
from tests.web.responses_asked import URL, Desk, asked, desk, events, text_of
from tests.web.running import Json, settings

PATIENCE_S = 10
SPOKEN: list[Step] = [Accepted(3), *words("<think>", "Hm", "</think>", "Good", " day")]
EVENT: TypeAdapter[object] = TypeAdapter(StreamEvent)


class Reader:
    """Reads a stream of events one by one."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def until(self, kind: str) -> list[Json]:
        """Return the events up to the first of this kind."""
        found: list[Json] = []
        async with asyncio.timeout(PATIENCE_S):
            while not found or found[-1]["type"] != kind:
                block = ""
                while (line := await anext(self._lines)) != "":
                    block += line + "\n"
                found += events(block.removesuffix("\n"))
        return found


@asynccontextmanager
async def reading(at: Desk, **fields: object) -> AsyncIterator[Reader]:
    async with at.http.stream("POST", URL, json=asked(**fields, stream=True)) as answer:
        assert answer.status_code == 200
        yield Reader(answer.aiter_lines())


async def finished(at: Desk, response_id: str) -> Json:
    """Return the response once it is over."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found: Json = (await at.http.get(f"{URL}/{response_id}")).json()
            if found["status"] not in ("queued", "in_progress"):
                return found
            await asyncio.sleep(0.01)


async def test_a_stream_is_numbered_and_of_the_types_it_is_documented_with() -> None:
    async with desk(SPOKEN) as at:
        told = await at.told()

    for event in told:
        EVENT.validate_python(event)
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert told[-1]["type"] == "response.completed"
    assert text_of(told[-1]["response"]) == "Good day"


async def test_whoever_comes_back_at_any_number_gets_the_rest_of_the_first_stream() -> None:
    async with desk(SPOKEN) as at:
        told = await at.told()
        response_id = told[0]["response"]["id"]
        again = await at.resumed(response_id)
        tails = [await at.resumed(response_id, starting_after=last) for last in range(len(told))]

    assert again == told
    assert tails == [told[last + 1 :] for last in range(len(told))]


async def test_a_client_that_leaves_a_stored_stream_does_not_stop_it() -> None:
    release = asyncio.Event()
    first, *rest = words("Good", " day")
    async with desk([Accepted(3), first, release, *rest]) as at:
        async with reading(at) as reader:
            seen = await reader.until("response.output_text.delta")
        release.set()
        whole = await finished(at, seen[0]["response"]["id"])
        missed = await at.resumed(whole["id"], starting_after=seen[-1]["sequence_number"])

    assert (whole["status"], text_of(whole)) == ("completed", "Good day")
    numbers = [event["sequence_number"] for event in seen + missed]
    assert numbers == list(range(len(numbers)))
    assert missed[0]["delta"] == " day"


async def test_two_clients_of_a_running_response_see_the_same() -> None:
    release = asyncio.Event()
    first, *rest = words("Good", " day")
    async with desk([Accepted(3), first, release, *rest]) as at, reading(at) as reader:
        seen = await reader.until("response.output_text.delta")
        other = asyncio.create_task(at.resumed(seen[0]["response"]["id"]))
        await asyncio.sleep(0)
        release.set()
        seen += await reader.until("response.completed")

        assert await other == seen


async def test_another_worker_tells_what_is_stored_and_then_what_follows(tmp_path: Path) -> None:
    path, release = str(tmp_path / "conch.db"), asyncio.Event()
    chosen = settings(store={"checkpoint_interval_s": 0.05})
    first, *rest = words("Good", " day")
    async with (
        desk([Accepted(3), first, release, *rest], chosen, SqliteStore(path)) as at,
        desk([], chosen, SqliteStore(path)) as elsewhere,
        reading(at) as reader,
    ):
        seen = await reader.until("response.output_text.delta")
        response_id = seen[0]["response"]["id"]
        url = f"{URL}/{response_id}?stream=true"
        async with elsewhere.http.stream("GET", url) as answer:
            other = Reader(answer.aiter_lines())
            told = await other.until("response.output_text.delta")
            release.set()
            told += await other.until("response.completed")
        seen += await reader.until("response.completed")

    assert told == seen


async def test_a_cancel_reaches_the_worker_that_runs_the_response(tmp_path: Path) -> None:
    path, chosen = str(tmp_path / "conch.db"), settings(store={"checkpoint_interval_s": 0.05})
    async with (
        desk([Accepted(3), *words("a", "b")[:1], HANG], chosen, SqliteStore(path)) as at,
        desk([], chosen, SqliteStore(path)) as elsewhere,
        reading(at) as reader,
    ):
        seen = await reader.until("response.output_text.delta")
        await elsewhere.http.post(f"{URL}/{seen[0]['response']['id']}/cancel")
        *_, last = await reader.until("response.incomplete")

    assert last["response"]["status"] == "cancelled"


async def test_a_client_that_leaves_a_stream_that_is_not_stored_stops_it() -> None:
    async with desk([Accepted(3), *words("a", "b")[:1], HANG]) as at:
        async with reading(at, store=False) as reader:
            await reader.until("response.output_text.delta")

        await asyncio.wait_for(at.generator.closed.wait(), PATIENCE_S)


async def test_a_cancel_ends_the_stream_of_everybody() -> None:
    async with desk([Accepted(3), *words("a", "b")[:1], HANG]) as at, reading(at) as reader:
        seen = await reader.until("response.output_text.delta")
        await at.http.post(f"{URL}/{seen[0]['response']['id']}/cancel")
        *_, last = await reader.until("response.incomplete")

    assert last["response"]["status"] == "cancelled"
    assert last["response"]["output"][0]["status"] == "incomplete"


async def test_a_deleted_response_ends_its_stream() -> None:
    async with desk([Accepted(3), *words("a", "b")[:1], HANG]) as at, reading(at) as reader:
        seen = await reader.until("response.output_text.delta")
        await at.http.delete(f"{URL}/{seen[0]['response']['id']}")
        *_, last = await reader.until("response.incomplete")

    assert last["response"]["status"] == "cancelled"


async def test_a_failure_after_some_text_is_the_last_event() -> None:
    async with desk([Accepted(3), *words("a", "b")[:1], BackendLost("It is gone.")]) as at:
        told = await at.told()
        again = await at.resumed(told[0]["response"]["id"])

    assert told[-1]["type"] == "response.failed"
    assert told[-1]["response"]["error"]["code"] == "backend_unavailable"
    assert again == told


async def test_a_refused_stream_is_no_stream() -> None:
    async with desk([BackendLost("It is gone.")]) as at:
        status, body = await at.post(stream=True)

    assert (status, body["error"]["code"]) == (503, "backend_unavailable")


async def test_a_silent_stream_is_kept_alive() -> None:
    release = asyncio.Event()
    chosen = settings(server={"keepalive_interval_s": 0.05})
    async with (
        desk([Accepted(3), release, *words("x")], chosen) as at,
        at.http.stream("POST", URL, json=asked(stream=True)) as answer,
        asyncio.timeout(PATIENCE_S),
    ):
        lines = answer.aiter_lines()
        while await anext(lines) != ": keepalive":
            pass
        release.set()
        rest = [line async for line in lines]

    assert any("response.completed" in line for line in rest)


async def test_a_head_request_is_answered_at_once_while_the_stream_runs() -> None:
    async with desk([Accepted(3), *words("a")[:1], HANG]) as at:
        _, made = await at.post(background=True)
        url = f"{URL}/{made['id']}"
        head = await at.http.head(url, params={"stream": "true"})
        missing = await at.http.head(f"{URL}/resp_none", params={"stream": "true"})
        await at.http.post(f"{url}/cancel")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")
    assert missing.status_code == 404


async def test_a_background_stream_begins_with_its_queue() -> None:
    async with desk(SPOKEN) as at:
        told = await at.told(background=True)

    assert [event["type"] for event in told[:3]] == [
        "response.created",
        "response.queued",
        "response.in_progress",
    ]


@pytest.mark.parametrize("method", ["get", "delete"])
async def test_what_is_not_there_is_not_found(method: str) -> None:
    async with desk([]) as at:
        answer = await at.http.request(method, f"{URL}/resp_nothing")

    assert answer.status_code == httpx.codes.NOT_FOUND
    assert answer.json()["error"]["message"] == "Response with id 'resp_nothing' not found."


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"starting_after": "1"}, "starting_after"),
        ({"stream": "true", "starting_after": "-1"}, "starting_after"),
        ({"stream": "true", "starting_after": str(2**64)}, "starting_after"),
        ({"stream": "maybe"}, "stream"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_wrong_query_is_refused_by_name(query: Json, param: str) -> None:
    async with desk(SPOKEN) as at:
        _, body = await at.post()
        answer = await at.http.get(f"{URL}/{body['id']}", params=query)

    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert answer.json()["error"]["param"] == param
