"""WS /v1/responses on a real uvicorn: many responses on one connection, none of them lost."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from openai import AsyncOpenAI
from pydantic import TypeAdapter
from websockets.asyncio.client import ClientConnection, connect

from frontend_api.domain.errors import Overloaded
from frontend_api.domain.generation import Accepted, Delta
from frontend_api.web.answer_types_events import SocketEvent
from frontend_api.web.response_socket import MAX_AT_ONCE
from tests.web.fakes import HANG, Step, words
from tests.web.responses_asked import URL, Desk, asked, desk, text_of
from tests.web.running import Json, metric, settings

PATIENCE_S = 10
EVENT: TypeAdapter[object] = TypeAdapter(SocketEvent)
LAST = ("response.completed", "response.incomplete", "response.failed", "error")


class Socket:
    """A client of the socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, kind: str, **fields: object) -> None:
        await self.say(json.dumps({"type": f"response.{kind}", **fields}))

    async def say(self, message: str) -> None:
        await self._connection.send(message)

    async def create(self, **fields: object) -> None:
        await self.send("create", **asked(**fields))

    async def next(self) -> Json:
        event: Json = json.loads(await self._connection.recv())
        EVENT.validate_python(event)
        return event

    async def until(self, *kinds: str) -> list[Json]:
        """Return the events up to the first of these kinds; heartbeats are left out."""
        found: list[Json] = []
        while not found or found[-1]["type"] not in kinds:
            event = await self.next()
            if event["type"] != "heartbeat":
                found.append(event)
        return found


@asynccontextmanager
async def socket_of(at: Desk) -> AsyncIterator[Socket]:
    url = f"ws://127.0.0.1:{at.running.port}{URL}"
    async with asyncio.timeout(PATIENCE_S), connect(url, proxy=None) as connection:
        yield Socket(connection)


def running(*rest: Step) -> list[Step]:
    """Return the steps of a response that says `a`, and then this."""
    return [Accepted(3), *words("a", "b")[:1], *rest]


async def test_a_response_is_told_as_over_http() -> None:
    async with desk([Accepted(3), *words("Good", " day")]) as at, socket_of(at) as socket:
        await socket.create()
        told = await socket.until(*LAST)
        response_id = told[0]["response_id"]
        over_http = await at.resumed(response_id)

    assert [{**event, "response_id": response_id} for event in over_http] == told


async def test_the_official_client_reads_the_socket() -> None:
    async with (
        desk([Accepted(3), *words("Good", " day")]) as at,
        asyncio.timeout(PATIENCE_S),
        AsyncOpenAI(base_url=f"http://127.0.0.1:{at.running.port}/v1", api_key="unused") as client,
        client.responses.connect() as connection,
    ):
        await connection.response.create(model="demo", input="Hi", stream_id="left")
        events: list[Any] = []
        async for event in connection:
            events.append(event)
            if event.type == "response.completed":
                break

    assert events[-1].response.output_text == "Good day"
    assert {event.stream_id for event in events} == {"left"}


async def test_many_responses_share_a_socket() -> None:
    async with desk([Accepted(1), *words("a", "b", "c")]) as at, socket_of(at) as socket:
        for number in range(8):
            await socket.create(stream_id=str(number))
        streams: dict[str, list[Json]] = {}
        while sum(told[-1]["type"] == LAST[0] for told in streams.values()) < 8:
            event = await socket.next()
            streams.setdefault(event["stream_id"], []).append(event)

    for told in streams.values():
        assert [event["sequence_number"] for event in told] == list(range(len(told)))
        assert len({event["response_id"] for event in told}) == 1
        assert text_of(told[-1]["response"]) == "abc"


async def test_a_slow_response_does_not_hold_up_another() -> None:
    release = asyncio.Event()
    async with desk([Accepted(1), release, *words("x")]) as at, socket_of(at) as socket:
        await socket.create(stream_id="slow")
        await socket.until("response.in_progress")
        await socket.send("resume", response_id="resp_nothing", stream_id="fast")
        (error,) = await socket.until("error")
        release.set()
        *_, last = await socket.until(*LAST)

    assert (error["stream_id"], error["status"]) == ("fast", 404)
    assert (last["stream_id"], last["type"]) == ("slow", "response.completed")


async def test_a_stored_response_survives_its_socket_and_is_resumed_on_another() -> None:
    release = asyncio.Event()
    async with desk(running(release, *words(" day"))) as at:
        async with socket_of(at) as socket:
            await socket.create()
            seen = await socket.until("response.output_text.delta")
        release.set()
        async with socket_of(at) as other:
            after = seen[-1]["sequence_number"]
            await other.send("resume", response_id=seen[0]["response_id"], starting_after=after)
            missed = await other.until(*LAST)

    numbers = [event["sequence_number"] for event in seen + missed]
    assert numbers == list(range(len(numbers)))
    assert text_of(missed[-1]["response"]) == "a day"


async def test_a_response_that_is_not_stored_ends_with_its_socket() -> None:
    async with desk(running(HANG)) as at:
        async with socket_of(at) as socket:
            await socket.create(store=False)
            await socket.until("response.output_text.delta")

        await asyncio.wait_for(at.generator.closed.wait(), PATIENCE_S)


@pytest.mark.parametrize("store", [True, False])
async def test_a_response_is_cancelled_over_the_socket(store: bool) -> None:
    async with desk(running(HANG)) as at, socket_of(at) as socket:
        await socket.create(store=store)
        seen = await socket.until("response.output_text.delta")
        await socket.send("cancel", response_id=seen[0]["response_id"])
        *_, last = await socket.until(*LAST)

    assert (last["type"], last["response"]["status"]) == ("response.incomplete", "cancelled")


async def test_a_heartbeat_comes_before_the_first_token() -> None:
    chosen = settings(server={"keepalive_interval_s": 0.05})
    async with desk([Accepted(1), HANG], chosen) as at, socket_of(at) as socket:
        await socket.create()
        while (await socket.next())["type"] != "response.in_progress":
            pass

        assert await socket.next() == {"type": "heartbeat"}


async def test_a_client_that_asks_for_it_is_told_how_many_tokens_there_are() -> None:
    several = Delta(0, "Three tokens at once", 3)
    async with desk([Accepted(1), several, HANG]) as at, socket_of(at) as socket:
        await socket.create(count_tokens=True)
        while (told := await socket.next())["type"] != "heartbeat":
            response_id = told["response_id"]

    assert told == {"type": "heartbeat", "tokens": {response_id: 3}}


@pytest.mark.parametrize(
    ("message", "param", "code"),
    [
        ("{", None, None),
        ("[]", None, "invalid_type"),
        ("{}", "type", "missing_required_parameter"),
        ('{"type": "response.steer"}', "type", "invalid_value"),
        ('{"type": ["response.create"]}', "type", "invalid_value"),
        ('{"type": "response.cancel"}', "response_id", "missing_required_parameter"),
        ('{"type": "response.create", "model": "demo"}', "input", "missing_required_parameter"),
        (json.dumps({"type": "response.create", **asked(colour=1)}), "colour", "unknown_parameter"),
        (json.dumps({"type": "response.create", **asked(), "model": "m"}), None, "model_not_found"),
    ],
)
async def test_what_is_refused_is_told_and_the_socket_goes_on(
    message: str, param: str | None, code: str | None
) -> None:
    async with desk(words("x")) as at, socket_of(at) as socket:
        await socket.say(message)
        (error,) = await socket.until(*LAST)
        await socket.create()
        *_, last = await socket.until(*LAST)

    assert error["type"] == "error"
    assert (error["error"]["param"], error["error"]["code"]) == (param, code)
    assert last["type"] == "response.completed"


async def test_messages_are_counted_beside_the_requests_over_http() -> None:
    async with desk([Accepted(3), *words("a")]) as at, socket_of(at) as socket:
        for fields in ({}, {}, {"temperature": 9}):
            await socket.create(**fields)
            await socket.until(*LAST)
        counted = {
            status: await metric(at.running, _COUNTED.format(status)) for status in (200, 400)
        }
        timed = await metric(
            at.running, 'conch_http_request_duration_seconds_count{route="WS /v1/responses"}'
        )

    assert (counted, timed) == ({200: 2, 400: 1}, 3)


_COUNTED = 'conch_http_requests_total{{route="WS /v1/responses",status="{}"}}'


async def test_an_error_names_the_message_it_answers() -> None:
    async with desk([]) as at, socket_of(at) as socket:
        await socket.send("create", event_id="e1", stream_id="s1", colour="red")
        (error,) = await socket.until("error")

    assert (error["event_id"], error["stream_id"], error["status"]) == ("e1", "s1", 400)


async def test_an_error_that_passes_says_when_to_try_again() -> None:
    async with desk([Overloaded("Too many wait already.")]) as at, socket_of(at) as socket:
        await socket.create()
        (error,) = await socket.until("error")

    assert (error["status"], error["retry_after"]) == (503, 1)


async def test_one_socket_runs_so_many_at_once_and_no_more() -> None:
    async with desk([Accepted(1), HANG]) as at, socket_of(at) as socket:
        for _ in range(MAX_AT_ONCE):
            await socket.create(store=False)
            await socket.until("response.in_progress")
        await socket.create(event_id="e1", stream_id="s1")
        (error,) = await socket.until("error")

    assert (error["status"], error["error"]["code"]) == (429, "limit_reached")
    assert (error["event_id"], error["stream_id"]) == ("e1", "s1")
