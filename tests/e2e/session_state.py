"""What is left of sessions and their generations, as a Conch tells it, for tests to look at."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from tests.e2e.conch_process import LIMIT_S, Conch, until_async
from tests.e2e.workers import Json, Stream, begun, clients_of

CONVERSATIONS = "/v1/conversations"
MODELS = ("slow", "steady", "demo")


async def until_at_rest(conch: Conch) -> None:
    """Wait until all parts answer and nothing runs any more."""
    await until_async(lambda: is_whole(conch), "both workers, Triton and the store are there")
    await until_async(lambda: is_at_rest(conch), "no generation is left over")


def is_whole(conch: Conch) -> bool:
    """Whether sessions and models are served, whichever worker takes the connection."""
    if len(conch.workers()) != 2 or not conch.is_serving("slow"):
        return False
    url = conch.url + CONVERSATIONS
    return {httpx.get(url, timeout=LIMIT_S).status_code for _ in range(4)} == {200}


def is_at_rest(conch: Conch) -> bool:
    """Whether no generation runs, for Triton and for the workers."""
    if any(conch.gauge("conch_running_sequences", model) for model in MODELS):
        return False
    lines = httpx.get(f"{conch.url}/metrics", timeout=LIMIT_S).text.splitlines()
    gauges = [line for line in lines if line.startswith("conch_generations_in_flight{")]
    return all(line.endswith(" 0.0") for line in gauges)


@asynccontextmanager
async def many_begun(
    conch: Conch, num_streams: int, **asked: object
) -> AsyncIterator[list[Stream]]:
    """Yield streams that run at the same time, half of them on each worker."""
    async with AsyncExitStack() as stack:
        streams = []
        for worker in conch.workers():
            clients = await stack.enter_async_context(clients_of(conch, worker, num_streams // 2))
            for client in clients:
                streams.append(await stack.enter_async_context(begun(client, **asked)))
        yield streams


async def session_ids(http: httpx.AsyncClient) -> set[str]:
    """Return the ids of all sessions; fails if one is listed twice."""
    listed = (await http.get("/sessions")).json()
    assert len(set(listed)) == len(listed)
    return set(listed)


async def tree_of(http: httpx.AsyncClient, session_id: str) -> list[Json]:
    """Return all messages of a session, on whichever branch."""
    answer = await http.get(f"{CONVERSATIONS}/{session_id}/tree")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])
