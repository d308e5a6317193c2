"""More models than fit, new ones while the server runs, and new versions under traffic."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from shutil import copytree

import httpx
import pytest

from scripts.launcher.bootstrap import ROOT
from tests.e2e.conch_process import LIMIT_S, Conch, running_conch
from triton_backend.llm.engines.simulated import write_model_folder

DEMO = ROOT / "model_repository" / "demo" / "1"
NAMES = ("one", "two", "three", "four")
NUM_CLIENTS = 6
NUM_REQUESTS = 5


def write_model(repository: Path, name: str) -> None:
    write_model_folder(
        repository, name, first_token_ms=5, token_ms=20, max_batch=8, tokenizer_from=DEMO
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for name in NAMES:
        write_model(folder, name)
    return folder


@pytest.fixture(scope="module")
def crowded(repository: Path) -> Iterator[Conch]:
    """A Conch of two workers with four models, of which two fit."""
    arguments = ["--repository", str(repository), "--model", "one", "--workers", "2"]
    environ = {"CONCH_MODELS__MAX_LOADED_MODELS": "2", "CONCH_MODELS__ALIASES": '{"1": "one"}'}
    with running_conch(*arguments, environ=environ) as conch:
        assert conch.url
        yield conch


@pytest.fixture
async def client(crowded: Conch) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=crowded.url, timeout=LIMIT_S) as client:
        yield client


async def complete(client: httpx.AsyncClient, model: str) -> httpx.Response:
    asked = {"model": model, "prompt": "Hello", "max_tokens": 10}
    return await client.post("/v1/completions", json=asked)


async def states(client: httpx.AsyncClient) -> dict[str, str]:
    listed = (await client.get("/v1/models")).json()["data"]
    return {model["id"]: model["x_conch"]["state"] for model in listed}


async def test_models_of_which_two_fit_are_used_by_many_at_random(
    client: httpx.AsyncClient,
) -> None:
    async def ask_often(seed: int) -> list[httpx.Response]:
        chance = random.Random(seed)
        return [await complete(client, chance.choice(NAMES)) for _ in range(NUM_REQUESTS)]

    answers = await asyncio.gather(*(ask_often(seed) for seed in range(NUM_CLIENTS)))

    assert [answer.text for each in answers for answer in each if answer.status_code != 200] == []


async def test_a_new_model_is_served_without_a_restart(
    client: httpx.AsyncClient, repository: Path
) -> None:
    write_model(repository, "new")
    async with asyncio.timeout(LIMIT_S):
        while "new" not in await states(client):  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.05)

    assert (await complete(client, "new")).status_code == 200


async def test_a_model_answers_to_its_alias_and_says_its_own_name(
    client: httpx.AsyncClient,
) -> None:
    answer = await complete(client, "1")

    assert (answer.status_code, answer.json()["model"]) == (200, "one")


async def test_an_operator_loads_and_unloads(client: httpx.AsyncClient) -> None:
    loaded = await client.post("/admin/models/three/load")
    assert (loaded.status_code, loaded.json()["x_conch"]["state"]) == (200, "ready")
    unloaded = await client.post("/admin/models/three/unload")
    assert (unloaded.status_code, unloaded.json()["x_conch"]["state"]) == (200, "unloaded")


async def test_a_new_version_takes_over_while_old_streams_go_on(
    client: httpx.AsyncClient, repository: Path
) -> None:
    assert (await complete(client, "two")).status_code == 200
    is_over = asyncio.Event()

    async def ask_until_over() -> list[int]:
        statuses = []
        while not is_over.is_set():
            statuses.append((await complete(client, "two")).status_code)
        return statuses

    asked = {"model": "two", "prompt": "Hello", "max_tokens": 150, "ignore_eos": True}
    long_answer = asyncio.create_task(client.post("/v1/completions", json=asked))
    traffic = [asyncio.create_task(ask_until_over()) for _ in range(4)]
    copytree(repository / "two" / "1", repository / "two" / "2")
    swapped = await client.post("/admin/models/two/load")
    answer = await long_answer
    is_over.set()
    statuses = [status for each in await asyncio.gather(*traffic) for status in each]

    assert swapped.status_code == 200, swapped.text
    assert answer.json()["usage"]["completion_tokens"] == 150
    assert set(statuses) == {200}
