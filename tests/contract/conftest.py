"""What the contract tests of the stores share: a mongod, and every kind of store."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from frontend_api.ports import Store
from tests.contract.stores import KINDS, Opener, mongo_opener, sqlite_opener
from tests.mongod import Mongod, quick_folder, running_mongod


@pytest.fixture(scope="session")
def mongod() -> Iterator[Mongod]:
    """Return a mongod that all tests share, one after the other."""
    with (
        TemporaryDirectory(prefix="conch-mongod-", dir=quick_folder()) as folder,
        running_mongod(Path(folder)) as mongod,
    ):
        yield mongod


@pytest.fixture(params=KINDS)
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Return how to open an empty database, as often as there are workers."""
    if request.param == "sqlite":
        return sqlite_opener(tmp_path)
    return mongo_opener(request.getfixturevalue("mongod"), request.param)


@pytest.fixture
async def store(opener: Opener) -> AsyncIterator[Store]:
    """Return an empty store."""
    async with opener() as store:
        yield store
