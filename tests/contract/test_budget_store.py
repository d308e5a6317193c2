"""What every store promises about ledgers: one change after the other, whoever makes it."""

import asyncio
from dataclasses import replace

import pytest

from frontend_api.domain.budgets import Reservation
from frontend_api.domain.errors import BudgetSpent
from frontend_api.domain.keys import KeyLimits
from frontend_api.domain.ledger import Ledger
from frontend_api.ports import Store
from tests.contract.stores import NOW, Opener

KEY = "0123456789ab"
NUM_ASKED = 60
LIMIT = 20


def a_reservation(name: str = "r1", **given: object) -> Reservation:
    reservation = Reservation(
        id=name,
        limits=KeyLimits(requests_per_minute=LIMIT, tokens_per_minute=1000),
        num_tokens=10,
        least_tokens=10,
        made_at=NOW,
        lease_until=NOW + 12,
    )
    return replace(reservation, **given)  # type: ignore[arg-type]


def as_it_is(ledger: Ledger) -> Ledger:
    return replace(ledger)


async def test_a_ledger_begins_empty_and_comes_back_as_it_was_left(opener: Opener) -> None:
    async with opener() as one, opener() as other:
        empty = await one.change_ledger(KEY, as_it_is)
        granted = await one.change_ledger(KEY, lambda ledger: ledger.reserve(a_reservation()))
        await one.change_ledger(KEY, lambda ledger: ledger.renew("r1", 7, NOW + 2.5))
        left = await other.change_ledger(KEY, as_it_is)

    wanted = Ledger()
    wanted.reserve(a_reservation())
    wanted.renew("r1", 7, NOW + 2.5)
    assert empty == Ledger()
    assert granted == 10
    assert left == wanted


@pytest.mark.parametrize("subject", ["", "$ne", "config:a.b", "a\nb"])
async def test_subjects_have_nothing_in_common(store: Store, subject: str) -> None:
    await store.change_ledger(subject, lambda ledger: ledger.reserve(a_reservation()))

    assert await store.change_ledger(KEY, as_it_is) == Ledger()
    assert (await store.change_ledger(subject, as_it_is)).held.keys() == {"r1"}


async def test_a_change_that_raises_is_not_kept(store: Store) -> None:
    def spend_and_fail(ledger: Ledger) -> None:
        ledger.reserve(a_reservation())
        raise BudgetSpent("No.")

    with pytest.raises(BudgetSpent):
        await store.change_ledger(KEY, spend_and_fail)

    assert await store.change_ledger(KEY, as_it_is) == Ledger()


async def test_of_many_requests_at_several_workers_the_limit_and_no_more_is_let_in(
    opener: Opener,
) -> None:
    async with opener() as one, opener() as two, opener() as three:

        async def ask(number: int) -> bool:
            store = (one, two, three)[number % 3]
            asked = a_reservation(f"r{number}")
            try:
                await store.change_ledger(KEY, lambda ledger: ledger.reserve(asked))
            except BudgetSpent:
                return False
            return True

        outcomes = await asyncio.gather(*map(ask, range(NUM_ASKED)))
        left = await one.change_ledger(KEY, as_it_is)

    assert sum(outcomes) == LIMIT
    assert sum(used.requests for used in left.seconds.values()) == LIMIT
    assert len(left.held) == LIMIT
