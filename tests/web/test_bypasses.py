"""Ways around the guards: strangers in numbers, other routes for the same, keys that change."""

import asyncio
import operator
from pathlib import Path

import httpx
import pytest

from frontend_api.__main__ import main
from tests.web.fake_triton import FakeTriton
from tests.web.fakes import FakeGenerator, words
from tests.web.keyed import KEYS, bearer, keyed_app
from tests.web.running import ask
from tests.web.test_process import running


async def test_three_hundred_strangers_get_one_and_the_same_answer_and_few_entries() -> None:
    async with keyed_app() as (_, client):
        answers = [
            await client.get("/v1/models", headers=bearer(f"made-up-key-of-{number}"))
            for number in range(300)
        ]
        told = (await client.get("/admin/audit?limit=1000", headers=bearer(KEYS["admin"]))).json()

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    refused = [entry for entry in told["data"] if entry["action"] == "request.refused"]
    assert sum(entry["count"] for entry in refused) == 300
    assert len(refused) < 100


async def test_the_budget_of_a_key_is_one_whatever_route_it_takes() -> None:
    ways = [
        ("/v1/chat/completions", ask()),
        ("/chat/completions", {"model-name": "demo", "prompt": "x"}),
        ("/v1/completions", {"model": "demo", "prompt": "x"}),
        ("/completions", {"model": "demo", "prompt": "x"}),
        ("/v1/responses", {"model": "demo", "input": "x"}),
        ("/chat/completions", ask()),
    ]
    async with keyed_app(generator=FakeGenerator(words("Hi"))) as (_, client):
        order = {"name": "x", "requests_per_minute": 3, "scopes": ["chat", "sessions"]}
        made = await client.post("/admin/keys", json=order, headers=bearer(KEYS["admin"]))
        forged = {**bearer(made.json()["key"]), "x-forwarded-for": "10.1.2.3"}
        answers = [await client.post(path, json=body, headers=forged) for path, body in ways]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429, 429]


async def test_a_key_that_is_rotated_under_load_is_refused_by_no_worker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {
        "CONCH_STORE__SQLITE_PATH": str(tmp_path / "conch.db"),
        "CONCH_SECURITY__ENABLE_AUTH": "true",
    }

    def keys(*arguments: str) -> str:
        assert main(["keys", *arguments], environ) == 0
        return capsys.readouterr().out.strip()

    key = await asyncio.to_thread(keys, "create", "--name", "x")
    current, is_over = [key], asyncio.Event()
    statuses: list[list[int]] = [[] for _ in range(8)]

    async def ask_on(client: httpx.AsyncClient, told: list[int]) -> None:
        while not is_over.is_set():
            answer = await client.get("/v1/models", headers=bearer(current[0]))
            told.append(answer.status_code)

    async with (
        running(FakeTriton(), "--workers", "4", **environ) as (_, client),
        asyncio.TaskGroup() as load,
    ):
        for told in statuses:
            load.create_task(ask_on(client, told))
        for _ in range(4):
            # Of each: what was sent with the secret before the last is answered then.
            enough = [len(told) + 8 for told in statuses]
            current[0] = await asyncio.to_thread(
                keys, "rotate", key.split("_")[1], "--overlap-seconds", "60"
            )
            async with asyncio.timeout(60):
                while any(map(operator.lt, map(len, statuses), enough)):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        is_over.set()

    assert {status for told in statuses for status in told} == {200}
