"""The line before a model, in a whole Conch: four API workers, one engine with four places."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.e2e.conch_process import LIMIT_S, Conch, running_conch
from tests.e2e.conftest import DEMO
from tests.web.keyed import bearer
from triton_backend.llm.engines.simulated import write_model_folder

pytestmark = pytest.mark.alone

NUM_PLACES = 4
NUM_WORKERS = 4
MAX_WAITING = 128
# Names of keys with their weights.
WEIGHTS = {"flood": 1, "single": 1, "heavy": 3, "light": 1}
KEYS = {name: f"static-key-of-{name}-0123456789" for name in WEIGHTS}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conch]:
    """A Conch whose only model gives four answers at once, of 10 ms a token."""
    repository = tmp_path_factory.mktemp("narrow")
    write_model_folder(
        repository,
        "narrow",
        first_token_ms=20,
        token_ms=10,
        max_batch=NUM_PLACES,
        tokenizer_from=DEMO / "1",
    )
    keys = [
        {
            "key": KEYS[name],
            "name": name,
            "priority_weight": weight,
            "scopes": ["chat", "metrics"],
        }
        for name, weight in WEIGHTS.items()
    ]
    environ = {
        "CONCH_SECURITY__ENABLE_AUTH": "true",
        "CONCH_SECURITY__API_KEYS": json.dumps(keys),
        "CONCH_LIMITS__MAX_QUEUE_PER_MODEL": str(MAX_WAITING),
    }
    arguments = ["--workers", str(NUM_WORKERS), "--repository", str(repository)]
    with running_conch(*arguments, "--model", "narrow", environ=environ) as conch:
        assert conch.url
        yield conch


class Crowd:
    """Clients of many connections, so of every worker; `ended` has the keys of who was answered."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.tasks: set[asyncio.Task[int]] = set()
        self.ended: list[str] = []

    def ask(self, key: str, num_tokens: int, number: int = 1) -> list["asyncio.Task[int]"]:
        asked = [asyncio.create_task(self._ask(key, num_tokens)) for _ in range(number)]
        self.tasks |= set(asked)
        return asked

    async def until_ended(self, number: int) -> None:
        while len(self.ended) < number:
            await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)
            self.tasks = {task for task in self.tasks if not task.done()}

    async def first_status(self) -> int:
        """Wait for one of those that have none yet, and return its status."""
        asked = {task for task in self.tasks if not task.done()}
        done, _ = await asyncio.wait(asked, timeout=LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()

    async def in_line(self) -> int:
        """Return how many wait, as the metrics of all workers have it."""
        page = (await self._http.get("/metrics", headers=bearer(KEYS["single"]))).text
        lines = [line for line in page.splitlines() if line.startswith("conch_queue_length{")]
        return sum(int(float(line.rpartition(" ")[2])) for line in lines)

    async def until_in_line(self, number: int) -> None:
        async with asyncio.timeout(LIMIT_S):
            while await self.in_line() < number:
                pass

    async def _ask(self, key: str, num_tokens: int) -> int:
        body = {
            "model": "narrow",
            "prompt": "Count.",
            "max_tokens": num_tokens,
            "ignore_eos": True,
        }
        # A connection of its own, so that each may come to another worker.
        headers = bearer(KEYS[key]) | {"connection": "close"}
        answer = await self._http.post("/v1/completions", json=body, headers=headers)
        if answer.status_code == 200:
            assert answer.json()["usage"]["completion_tokens"] == num_tokens
            self.ended.append(key)
        return answer.status_code


@asynccontextmanager
async def crowd_at(conch: Conch) -> AsyncIterator[Crowd]:
    """Yield a crowd that goes home at the end."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=conch.url, timeout=LIMIT_S, limits=limits) as http:
        crowd = Crowd(http)
        try:
            yield crowd
        finally:
            for task in crowd.tasks:
                task.cancel()
            await asyncio.gather(*crowd.tasks, return_exceptions=True)
            async with asyncio.timeout(LIMIT_S):
                while await crowd.in_line():
                    pass


async def test_a_flood_delays_another_keys_request_by_no_more_than_one_generation(
    narrow: Conch,
) -> None:
    async with crowd_at(narrow) as crowd:
        crowd.ask("flood", 100, number=100)
        await crowd.until_in_line(80)
        before = len(crowd.ended)

        (single,) = crowd.ask("single", 1)
        assert await single == 200

        # Those that ran end, and a place may be given once more before it has come.
        assert len(crowd.ended) - before <= 2 * NUM_PLACES
        assert await crowd.in_line() > 50


async def test_tokens_are_shared_by_weight(narrow: Conch) -> None:
    async with crowd_at(narrow) as crowd:
        # First in line, so that what is shared begins with all of both behind them.
        crowd.ask("flood", 200, number=NUM_PLACES)
        crowd.ask("heavy", 10, number=60)
        crowd.ask("light", 20, number=60)
        await crowd.until_in_line(100)
        before = len(crowd.ended)
        await crowd.until_ended(before + 50)
        served = crowd.ended[before:]

    tokens = {"heavy": 10 * served.count("heavy"), "light": 20 * served.count("light")}
    assert 2 < tokens["heavy"] / tokens["light"] < 4


async def test_a_full_line_refuses_while_nothing_has_ended_and_others_still_get_in(
    narrow: Conch,
) -> None:
    async with crowd_at(narrow) as crowd:
        # So long that none of them ends here.
        crowd.ask("flood", 2000, number=NUM_PLACES + MAX_WAITING)
        await crowd.until_in_line(MAX_WAITING)

        assert set(await asyncio.gather(*crowd.ask("flood", 1, number=50))) == {429}
        crowd.ask("light", 1)
        pushed_out = await crowd.first_status()
        assert pushed_out == 429

        assert crowd.ended == []
        assert await crowd.in_line() == MAX_WAITING


async def test_four_workers_together_never_ask_more_of_the_engine_than_it_has_places_for(
    narrow: Conch,
) -> None:
    async with crowd_at(narrow) as crowd:
        crowd.ask("flood", 10, number=60)
        crowd.ask("heavy", 10, number=40)
        seen: list[float] = []
        while len(crowd.ended) < 100:
            seen.append(await asyncio.to_thread(narrow.gauge, "conch_waiting_sequences", "narrow"))

        assert set(crowd.ended) == {"flood", "heavy"}
        # The end of an answer is told a moment before the engine has its place free again, at most
        # of all at once; workers that knew nothing of one another would ask for four times more.
        assert max(seen) <= NUM_PLACES
