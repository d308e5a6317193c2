"""One Conch for the tests that leave it as it was, one for those that kill its parts.

Both serve the bundled model and two simulated ones: `steady` (20 ms to the first token, 10 ms
between tokens) and `slow` (200 ms between tokens, for what happens in the middle of a stream).
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from openai import AsyncOpenAI

from scripts.launcher.bootstrap import ROOT
from tests.e2e.conch_process import LIMIT_S, Conch, running_conch
from tests.mongod import Mongod, quick_folder, running_mongod
from triton_backend.llm.engines.simulated import write_model_folder

DEMO = ROOT / "model_repository" / "demo"
PACE = {"steady": (20, 10), "slow": (20, 200)}


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository with `demo`, `steady` and `slow`."""
    folder = tmp_path_factory.mktemp("model_repository")
    (folder / "demo").symlink_to(DEMO)
    for name, (first_token_ms, token_ms) in PACE.items():
        write_model_folder(
            folder,
            name,
            first_token_ms=first_token_ms,
            token_ms=token_ms,
            max_batch=64,
            tokenizer_from=DEMO / "1",
        )
    return folder


@pytest.fixture(scope="session")
def arguments(repository: Path) -> list[str]:
    """The launcher's arguments for all models of the repository."""
    models = [part for name in ("demo", *PACE) for part in ("--model", name)]
    return ["--repository", str(repository), *models]


@pytest.fixture(scope="session")
def conch(arguments: list[str]) -> Iterator[Conch]:
    """A running Conch with two API workers; leave it as it was."""
    with running_conch("--workers", "2", *arguments) as conch:
        assert conch.url
        yield conch


@pytest.fixture(scope="module")
def breakable(arguments: list[str]) -> Iterator[Conch]:
    """A running Conch whose parts may be killed; wait until it serves again."""
    with running_conch(*arguments) as conch:
        assert conch.url
        yield conch


@pytest.fixture(scope="module")
def mongod() -> Iterator[Mongod]:
    """A mongod for the sessions of `stored`."""
    with (
        TemporaryDirectory(prefix="conch-mongod-", dir=quick_folder()) as folder,
        running_mongod(Path(folder)) as mongod,
    ):
        yield mongod


@pytest.fixture(scope="module")
def stored(arguments: list[str], mongod: Mongod) -> Iterator[Conch]:
    """A Conch of two workers with sessions in `mongod`; parts of both may be killed."""
    environ = {
        "CONCH_STORE__MONGODB_URI": mongod.uri,
        # Short, as a test waits for its end.
        "CONCH_STORE__LEASE_S": "6",
        "CONCH_LIMITS__MAX_SESSIONS": "0",
    }
    with running_conch("--workers", "2", *arguments, environ=environ) as conch:
        assert conch.url
        yield conch


@pytest.fixture
async def http(conch: Conch) -> AsyncIterator[httpx.AsyncClient]:
    """A plain HTTP client of `conch`."""
    async with httpx.AsyncClient(base_url=conch.url, timeout=LIMIT_S) as client:
        yield client


@pytest.fixture
async def openai(conch: Conch) -> AsyncIterator[AsyncOpenAI]:
    """The official client, without retries: a failure must show."""
    async with AsyncOpenAI(
        base_url=f"{conch.url}/v1", api_key="unused", max_retries=0, timeout=LIMIT_S
    ) as client:
        yield client
