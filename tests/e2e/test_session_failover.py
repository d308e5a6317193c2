"""A replica set of three loses its primary in the middle of streams: no answer is lost.

The members are real servers; the one that takes the writes is killed with SIGKILL.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tests.e2e.conch_process import LIMIT_S, Conch, running_conch, until_async
from tests.e2e.session_state import tree_of
from tests.e2e.workers import Json, begun, got, is_gapless, spoken
from tests.mongod import ReplicaSet, quick_folder, running_replica_set
from tests.web.responses_asked import URL, text_of

NUM_STREAMS = 16


@pytest.fixture
def replica_set() -> Iterator[ReplicaSet]:
    """Three servers that elect one of them."""
    with (
        TemporaryDirectory(prefix="conch-mongods-", dir=quick_folder()) as folder,
        running_replica_set(Path(folder)) as members,
    ):
        yield members


@pytest.fixture
def replicated(repository: Path, replica_set: ReplicaSet) -> Iterator[Conch]:
    """A Conch with its sessions there."""
    environ = {"CONCH_STORE__MONGODB_URI": replica_set.uri}
    arguments = ["--repository", str(repository), "--model", "slow", "--model", "steady"]
    with running_conch("--workers", "1", *arguments, environ=environ) as conch:
        assert conch.url
        yield conch


async def test_no_answer_is_lost_when_the_primary_is_killed(
    replicated: Conch, replica_set: ReplicaSet
) -> None:
    async with httpx.AsyncClient(base_url=replicated.url, timeout=LIMIT_S) as http:
        before = (await http.post(URL, json={"model": "steady", "input": "Before."})).json()
        async with AsyncExitStack() as stack:
            streams = [
                await stack.enter_async_context(begun(http, max_output_tokens=25))
                for _ in range(NUM_STREAMS)
            ]
            await asyncio.gather(*(stream.read(6) for stream in streams))
            killed = replica_set.primary()
            assert killed is not None
            await asyncio.to_thread(killed.kill)
            await asyncio.gather(*(stream.rest() for stream in streams))
        await until_async(lambda: replica_set.primary() is not None, "another is elected")
        after = await answered(http, {"previous_response_id": before["id"]})

        assert after["previous_response_id"] == before["id"]
        assert text_of(await got(http, before["id"])) == text_of(before) != ""
        for stream in streams:
            told = stream.seen[-1]["response"]
            assert is_gapless(stream.seen)
            assert told["incomplete_details"] == {"reason": "max_output_tokens"}
            await until_kept(http, told["conversation"]["id"], spoken(stream.seen))
            assert {**await got(http, stream.id), "x_conch": None} == {**told, "x_conch": None}


async def answered(http: httpx.AsyncClient, asked: Json) -> Json:
    """Return the answer of a turn, asked for again while the store is not back."""
    body = {"model": "steady", "input": "Go on.", **asked}
    async with asyncio.timeout(LIMIT_S):
        # Asking is the only way to hear of it.
        while (answer := await http.post(URL, json=body)).status_code == 503:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def until_kept(http: httpx.AsyncClient, session_id: str, text: str) -> None:
    """Return when the store has a question and this answer in the session, and nothing else."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            tree = await tree_of(http, session_id)
            said = [
                "".join(p["text"] for it in each["items"] for p in it["content"]) for each in tree
            ]
            if said == ["Count.", text] and tree[-1]["status"] == "incomplete":
                return
            await asyncio.sleep(0.1)
