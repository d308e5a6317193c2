"""A key is for one request, and its answer for everybody who sends it again."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from frontend_api.adapters.sqlite import SqliteStore, memory_store
from frontend_api.domain.errors import Conflict, KeyReused, StoreLost
from frontend_api.domain.stored import KeptAnswer
from frontend_api.service.idempotency import Claim, Idempotency, Patience, response_id_of

ANSWER = KeptAnswer(200, "application/json", b'{"a": 1}')


class SetClock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    store = memory_store()
    async with store.running():
        yield store


def keys(store: SqliteStore, clock: SetClock | None = None, waiting_s: float = 0) -> Idempotency:
    return Idempotency(store, clock or SetClock(), Patience(100, 10, waiting_s))


async def claimed(idempotency: Idempotency, key: str = "k", owner: str = "o") -> Claim:
    claim = await idempotency.claim(owner, key, "same")
    assert isinstance(claim, Claim)
    return claim


async def test_the_second_request_gets_the_answer_of_the_first(store: SqliteStore) -> None:
    claim = await claimed(keys(store))
    await claim.keep(ANSWER)
    await claim.aclose()

    assert await keys(store).claim("o", "k", "same") == ANSWER


async def test_another_request_with_the_key_is_refused(store: SqliteStore) -> None:
    await claimed(keys(store))

    with pytest.raises(KeyReused):
        await keys(store).claim("o", "k", "other")


async def test_a_key_belongs_to_its_owner(store: SqliteStore) -> None:
    claim = await claimed(keys(store))
    await claim.keep(ANSWER)

    assert isinstance(await keys(store).claim("another", "k", "same"), Claim)


async def test_whoever_comes_while_the_first_runs_waits_for_its_answer(store: SqliteStore) -> None:
    claim = await claimed(keys(store))
    second = asyncio.create_task(keys(store, waiting_s=30).claim("o", "k", "same"))
    await asyncio.sleep(0)

    await claim.keep(ANSWER)

    assert await second == ANSWER


async def test_whoever_has_waited_long_enough_is_told_to_come_back(store: SqliteStore) -> None:
    await claimed(keys(store))

    with pytest.raises(Conflict) as refused:
        await keys(store).claim("o", "k", "same")

    assert refused.value.retry_after_s == 2
    assert refused.value.code == "idempotency_key_in_use"


async def test_of_many_at_once_one_runs(store: SqliteStore) -> None:
    async def send() -> bytes:
        found = await keys(store, waiting_s=30).claim("o", "k", "same")
        if isinstance(found, Claim):
            await found.keep(ANSWER)
            return b"ran"
        return found.body

    answers = await asyncio.gather(*(send() for _ in range(50)))

    assert answers.count(b"ran") == 1
    assert answers.count(ANSWER.body) == 49


async def test_a_request_that_came_to_nothing_may_be_sent_again(store: SqliteStore) -> None:
    claim = await claimed(keys(store))

    await claim.aclose()

    await claimed(keys(store))


async def test_a_claim_whose_worker_has_died_does_not_last(store: SqliteStore) -> None:
    clock = SetClock()
    await claimed(keys(store, clock))

    clock.at += 71

    await claimed(keys(store, clock))


async def test_an_answer_is_forgotten_after_its_time(store: SqliteStore) -> None:
    clock = SetClock()
    claim = await claimed(keys(store, clock))
    await claim.keep(ANSWER)

    clock.at += 101

    await claimed(keys(store, clock))


async def test_a_stored_response_is_kept_by_its_id(store: SqliteStore) -> None:
    claim = await claimed(keys(store))
    await claim.keep_response("resp_1")

    found = await keys(store).claim("o", "k", "same")

    assert isinstance(found, KeptAnswer)
    assert response_id_of(found) == "resp_1"
    assert response_id_of(ANSWER) is None


async def test_without_its_store_nothing_is_claimed_and_nothing_breaks() -> None:
    store = memory_store()

    with pytest.raises(StoreLost):
        await keys(store).claim("o", "k", "same")

    claim = Claim(store, "o", "k", 0)
    await claim.aclose()
    await claim.keep(ANSWER)
