"""Sessions on a real mongod while workers, mongod and Triton are killed and frozen under them.

Nothing acknowledged is lost, nothing is there twice, and streams go on without their store. No
duration is asserted but what clients may rely on: that a lost database is told within seconds.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import httpx
import pytest

from tests.e2e.conch_process import LIMIT_S, Conch, until_async
from tests.e2e.session_state import (
    CONVERSATIONS,
    is_whole,
    many_begun,
    session_ids,
    tree_of,
    until_at_rest,
)
from tests.e2e.workers import (
    DELTA,
    Json,
    Stream,
    begun,
    clients_of,
    got,
    is_gapless,
    spoken,
    told,
)
from tests.mongod import Mongod
from tests.web.responses_asked import URL, text_of

# A call of the store takes 2 s at most; the rest is for a busy machine.
REFUSED_WITHIN_S = 10.0
# `slow` says 5 in a second, and a checkpoint comes once a second.
MAX_UNSAVED_DELTAS = 10
LONG = {"model": "slow", "input": "Count.", "stream": True, "max_output_tokens": 300}
KEY = {"idempotency-key": "sent-before-and-after-the-kill"}


@pytest.fixture
async def http(stored: Conch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of any worker."""
    async with httpx.AsyncClient(base_url=stored.url, timeout=LIMIT_S) as client:
        yield client


@pytest.fixture
async def _healing(stored: Conch) -> AsyncIterator[None]:
    """Wait until all is well again, before a test and after it."""
    await until_at_rest(stored)
    yield
    await until_at_rest(stored)


@dataclass(frozen=True)
class Story:
    """A worker was killed: what its client saw, and what others did, then and afterwards."""

    lost: Stream
    unhurt: Stream
    followed: Sequence[Json]
    final: Json
    resumed: Sequence[Json]
    repeated: httpx.Response
    inputs: Sequence[Json]
    next_turn: httpx.Response


@pytest.fixture(scope="module")
async def story(stored: Conch) -> Story:
    """Kill a worker in the middle of a stream, while a stream of the other one runs."""
    victim, survivor = stored.workers()
    async with (
        clients_of(stored, victim, 1) as (here,),
        clients_of(stored, survivor, 3) as (there, beside, behind),
    ):
        async with (
            begun(here, **{**LONG, "headers": KEY}) as lost,
            begun(there, max_output_tokens=40) as unhurt,
        ):
            await asyncio.gather(lost.read(20), unhurt.read(5))
            following = asyncio.create_task(told(beside, lost.id))
            victim.kill()
            with pytest.raises(httpx.RemoteProtocolError):
                await lost.rest()
            await unhurt.rest()
            followed = await asyncio.wait_for(following, LIMIT_S)
        asked = {"model": "steady", "input": "Go on.", "previous_response_id": lost.id}
        inputs = await behind.get(f"{URL}/{lost.id}/input_items")
        return Story(
            lost,
            unhurt,
            followed,
            await got(behind, lost.id),
            await told(behind, lost.id, lost.last),
            await behind.post(URL, json=LONG, headers=KEY),
            inputs.json()["data"],
            await behind.post(URL, json=asked),
        )


async def test_a_killed_worker_leaves_the_text_it_has_told(story: Story) -> None:
    seen = [event["delta"] for event in story.lost.seen if event["type"] == DELTA]
    kept = text_of(story.final)

    assert story.final["incomplete_details"] == {"reason": "interrupted"}
    assert "".join(seen).startswith(kept)
    assert len(kept) >= len("".join(seen[:-MAX_UNSAVED_DELTAS])) > 0
    assert story.inputs[0]["content"][0]["text"] == "Count."


async def test_the_streams_of_other_workers_do_not_notice(story: Story) -> None:
    seen = story.unhurt.seen

    assert seen[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert is_gapless(seen)
    assert spoken(seen) == text_of(seen[-1]["response"])


async def test_another_worker_tells_the_end(story: Story) -> None:
    assert is_gapless(list(story.followed))
    assert spoken(list(story.followed)) == text_of(story.final)
    # What the client has seen may be more than what was kept: it is told the end all the same.
    numbers = [event["sequence_number"] for event in story.resumed]
    assert numbers == list(range(story.lost.last + 1, story.lost.last + 1 + len(numbers)))
    assert story.resumed[-1]["response"] == story.followed[-1]["response"] == story.final


async def test_a_request_repeated_after_the_kill_makes_no_second_answer(story: Story) -> None:
    assert story.repeated.status_code == 200
    assert story.lost.id in story.repeated.text
    assert '"interrupted"' in story.repeated.text


async def test_an_interrupted_answer_can_be_continued(story: Story) -> None:
    assert story.next_turn.status_code == 200
    assert story.next_turn.json()["previous_response_id"] == story.lost.id


async def check_saved_as_told(http: httpx.AsyncClient, streams: Sequence[Stream]) -> None:
    """Fail unless the store has what was told, flags aside, and no message more."""
    for stream in streams:
        last = stream.seen[-1]["response"]
        kept = await got(http, stream.id)
        assert {**kept, "x_conch": None} == {**last, "x_conch": None}
        assert text_of(kept) == spoken(stream.seen)
        assert is_gapless(stream.seen)
        tree = await tree_of(http, last["conversation"]["id"])
        assert [message["status"] for message in tree] == ["completed", kept["status"]]


@pytest.mark.usefixtures("_healing")
async def test_streams_outlive_a_killed_mongod_and_nothing_is_lost_or_doubled(
    stored: Conch, mongod: Mongod, http: httpx.AsyncClient
) -> None:
    before = await session_ids(http)

    async with (
        many_begun(stored, 8, model="steady", max_output_tokens=16) as ended,
        many_begun(stored, 8, max_output_tokens=300, ignore_eos=True) as long,
        many_begun(stored, 8, max_output_tokens=40) as short,
    ):
        await asyncio.gather(*(stream.rest() for stream in ended))
        await asyncio.gather(*(stream.read(4) for stream in (*short, *long)))
        mongod.kill()
        await asyncio.gather(*(stream.rest() for stream in short))
        refused = await http.post(URL, json={"model": "steady", "input": "Hello"})
        await asyncio.to_thread(mongod.start)
        await until_async(lambda: is_whole(stored), "both workers have found the store again")
        cancels = [http.post(f"{URL}/{stream.id}/cancel") for stream in long]
        assert {answer.status_code for answer in await asyncio.gather(*cancels)} == {200}
        await asyncio.gather(*(stream.rest() for stream in long))
    streams = [*ended, *short, *long]
    await until_all_saved(http, streams)

    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "store_unavailable"
    assert {is_saved(stream) for stream in ended} == {True}
    assert {is_saved(stream) for stream in short} == {False}
    assert {is_saved(stream) for stream in long} == {True}
    assert {stream.seen[-1]["response"]["status"] for stream in long} == {"cancelled"}
    assert await session_ids(http) - before == {session_of(stream) for stream in streams}
    await check_saved_as_told(http, streams)


def is_saved(stream: Stream) -> bool:
    return bool(stream.seen[-1]["response"]["x_conch"]["saved"])


def session_of(stream: Stream) -> str:
    return str(stream.seen[0]["response"]["conversation"]["id"])


async def until_all_saved(http: httpx.AsyncClient, streams: Sequence[Stream]) -> None:
    """Wait until what the workers kept back is in the store."""
    async with asyncio.timeout(LIMIT_S):
        for stream in streams:
            # Asking is the only way to hear of it.
            while not await is_ended_in_store(http, stream):  # noqa: ASYNC110
                await asyncio.sleep(0.1)


async def is_ended_in_store(http: httpx.AsyncClient, stream: Stream) -> bool:
    """Whether the tree, which is always read from the store, has the end of the answer."""
    tree = await tree_of(http, session_of(stream))
    is_ended: bool = tree[-1]["status"] not in {"queued", "in_progress"}
    texts = ["".join(part["text"] for part in item["content"]) for item in tree[-1]["items"]]
    return is_ended and "".join(texts) == spoken(stream.seen)


async def gaps(streams: Sequence[Stream], num_deltas: int) -> list[float]:
    """Return the seconds between the next deltas of all these streams."""

    async def times(stream: Stream) -> list[float]:
        found: list[float] = []
        async for event in stream:
            if event["type"] == DELTA:
                found.append(time.monotonic())
            if len(found) > num_deltas:
                break
        return found

    of_each = await asyncio.gather(*map(times, streams))
    return [after - before for each in of_each for before, after in pairwise(each)]


@pytest.mark.alone
@pytest.mark.usefixtures("_healing")
async def test_a_frozen_mongod_slows_no_stream_and_is_told_soon(
    stored: Conch, mongod: Mongod, http: httpx.AsyncClient
) -> None:
    async with many_begun(stored, 8, max_output_tokens=60) as streams:
        before = await gaps(streams, 15)
        mongod.freeze()
        try:
            asking = asyncio.create_task(refusals(http, streams[0]))
            during = await gaps(streams, 15)
            refused, took_s = await asking
            readiness = await http.get("/readiness")
        finally:
            mongod.thaw()
        await asyncio.gather(*(stream.rest() for stream in streams))
    await until_at_rest(stored)
    await until_all_saved(http, streams)

    assert set(refused) == {503}
    assert took_s < REFUSED_WITHIN_S * len(refused)
    assert (readiness.status_code, readiness.json()["store"]) == (200, "unavailable")
    # Generous: the machine may be busy with something else in either half.
    assert median(during) < 2 * median(before)
    await check_saved_as_told(http, streams)


async def refusals(http: httpx.AsyncClient, stream: Stream) -> tuple[list[int], float]:
    """Return the status of each kind of use of the store, and how long they took in all."""
    begun_at = time.monotonic()
    answers = [
        await http.get(CONVERSATIONS),
        await http.get(f"{CONVERSATIONS}/{session_of(stream)}/items"),
        await http.post(CONVERSATIONS, json={}),
        await http.post(URL, json={"model": "steady", "input": "Hello"}),
        await http.get("/sessions"),
        await http.get(f"/chat/history/{session_of(stream)}"),
    ]
    return [answer.status_code for answer in answers], time.monotonic() - begun_at


@pytest.mark.usefixtures("_healing")
async def test_a_killed_triton_fails_the_response_and_keeps_its_text(
    stored: Conch, http: httpx.AsyncClient
) -> None:
    async with many_begun(stored, 8, max_output_tokens=300) as streams:
        await asyncio.gather(*(stream.read(8) for stream in streams))
        stored.kill_triton()
        await asyncio.gather(*(stream.rest() for stream in streams))
        refused = await http.post(URL, json={"model": "slow", "input": "Hello"})

    assert {stream.seen[-1]["type"] for stream in streams} == {"response.failed"}
    assert {is_saved(stream) for stream in streams} == {True}
    for stream in streams:
        assert await got(http, stream.id) == stream.seen[-1]["response"]
        assert text_of(stream.seen[-1]["response"]) == spoken(stream.seen) != ""
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    again = {"model": "steady", "input": "Again.", "previous_response_id": streams[0].id}
    async with asyncio.timeout(LIMIT_S):
        # Each worker learns on its own that the model is back: asking is the way to hear of it.
        while (answer := await http.post(URL, json=again)).status_code == 503:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert answer.status_code == 200
