"""The budgets of keys as a gate: what is set aside, renewed and settled, whatever goes wrong."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import pytest

from frontend_api.adapters.sqlite import memory_store
from frontend_api.domain.errors import BudgetSpent, StoreLost
from frontend_api.domain.generation import Usage
from frontend_api.domain.keys import KeyLimits
from frontend_api.domain.ledger import Ledger
from frontend_api.ports import BudgetStore, Store
from frontend_api.service.admission import Work
from frontend_api.service.budgets import Budgets
from frontend_api.service.callers import Caller
from frontend_api.telemetry import Telemetry
from tests.unit.frontend.answering import until
from tests.web.fakes import DEMO, FixedClock

KEY = "0123456789ab"
LIMITS = KeyLimits(tokens_per_minute=1000)
Result = TypeVar("Result")


class FlakyStore:
    """Keeps ledgers in another store, unless it is away; counts how often it is asked."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.is_away = False
        self.num_asked = 0

    async def change_ledger(self, subject: str, change: Callable[[Ledger], Result]) -> Result:
        self.num_asked += 1
        if self.is_away:
            raise StoreLost("Away.")
        return await self.store.change_ledger(subject, change)


@dataclass
class Stage:
    """What a test looks at."""

    store: FlakyStore
    budgets: Budgets

    async def ledger(self) -> Ledger:
        return await self.store.store.change_ledger(KEY, replace)

    async def charged(self) -> int:
        ledger = await self.ledger()
        return sum(used.tokens for used in ledger.seconds.values())


def budgets_on(store: BudgetStore, *, renew_every_s: float = 60) -> Budgets:
    return Budgets(store, FixedClock(), Telemetry(), lease_s=12, renew_every_s=renew_every_s)


@asynccontextmanager
async def stage(*, renew_every_s: float = 60) -> AsyncIterator[Stage]:
    store = memory_store()
    async with store.running():
        flaky = FlakyStore(store)
        budgets = budgets_on(flaky, renew_every_s=renew_every_s)
        async with budgets.open():
            yield Stage(flaky, budgets)


def work(limits: KeyLimits = LIMITS, **given: object) -> Work:
    made = Work(
        caller=Caller(key_id=KEY, limits=limits),
        model=DEMO,
        request_id="",
        num_sequences=1,
        max_tokens=100,
        usage=Usage(),
    )
    return replace(made, **given)  # type: ignore[arg-type]


async def generate(budgets: Budgets, asked: Work, failure: BaseException) -> None:
    """Use nine tokens, and end like this."""
    async with budgets.entered(asked):
        asked.usage.completion_tokens = 9
        raise failure


async def test_all_choices_and_the_prompt_are_set_aside_until_the_real_count_is_known() -> None:
    async with stage() as on:
        asked = work(num_sequences=3)
        async with on.budgets.entered(asked):
            before = await on.charged()
            asked.usage.prompt_tokens = 20
            await on.budgets.accepted(asked)
            accepted = await on.charged()
            asked.usage.completion_tokens = 7
        after = await on.charged()

    assert (before, accepted, after) == (300, 320, 27)


async def test_more_than_the_context_holds_is_not_set_aside() -> None:
    async with stage() as on:
        limits = KeyLimits(tokens_per_minute=5000)
        async with on.budgets.entered(work(limits, max_tokens=100_000)):
            assert await on.charged() == DEMO.context_length


@pytest.mark.parametrize("failure", [RuntimeError, asyncio.CancelledError, StoreLost])
async def test_however_a_generation_ends_it_is_charged_what_it_has_used(
    failure: type[BaseException],
) -> None:
    async with stage() as on:
        asked = work()
        with pytest.raises(failure):
            await generate(on.budgets, asked, failure("It ended."))

        assert await on.charged() == 9


async def test_who_is_refused_holds_nothing() -> None:
    async with stage() as on:
        with pytest.raises(BudgetSpent):
            async with on.budgets.entered(work(max_tokens=1001)):
                pass

        assert await on.ledger() == replace(Ledger(), day=(await on.ledger()).day)


@pytest.mark.parametrize(
    "free",
    [
        work(KeyLimits(priority_weight=5)),
        work(caller=Caller()),
        work(is_own=True),
    ],
)
async def test_what_has_no_limit_costs_no_call_of_the_store(free: Work) -> None:
    async with stage() as on:
        async with on.budgets.entered(free):
            await on.budgets.accepted(free)

        assert on.store.num_asked == 0
        assert await on.budgets.left(free.caller if not free.is_own else Caller()) is None


async def test_a_lost_store_refuses_who_has_limits() -> None:
    async with stage() as on:
        on.store.is_away = True

        with pytest.raises(StoreLost):
            async with on.budgets.entered(work()):
                pass


async def test_who_is_refused_by_a_lost_store_is_not_remembered() -> None:
    async with stage() as on:
        on.store.is_away = True
        for _ in range(3):
            with pytest.raises(StoreLost):
                async with on.budgets.entered(work()):
                    pass

        assert on.budgets.num_unsettled == 0


async def test_what_ends_while_the_store_is_away_is_settled_when_it_is_back() -> None:
    async with stage(renew_every_s=0.01) as on:
        asked = work()
        async with on.budgets.entered(asked):
            on.store.is_away = True
            asked.usage.completion_tokens = 9
        assert await on.charged() == 100
        on.store.is_away = False

        await until(lambda: not on.budgets.num_unsettled)

        assert await on.charged() == 9


async def test_what_is_left_to_settle_is_settled_at_the_end() -> None:
    store = memory_store()
    async with store.running():
        flaky = FlakyStore(store)
        budgets = budgets_on(flaky)
        async with budgets.open():
            async with budgets.entered(work()):
                flaky.is_away = True
            flaky.is_away = False

        ledger = await store.change_ledger(KEY, replace)

    assert ledger.held == {}


async def test_the_ledger_is_told_what_running_ones_have_used() -> None:
    async with stage(renew_every_s=0.01) as on:
        one, other = work(), work()
        async with on.budgets.entered(one), on.budgets.entered(other):
            one.usage.completion_tokens, other.usage.completion_tokens = 40, 130
            asked = on.store.num_asked
            await until(lambda: on.store.num_asked > asked + 1)
            told = sorted(held.spent for held in (await on.ledger()).held.values())

    assert told == [40, 130]


async def test_a_key_without_a_limit_on_tokens_is_asked_about_none_and_renewed() -> None:
    limits = KeyLimits(parallel_requests=1)
    unlimited = work(limits, max_tokens=None, model=replace(DEMO, context_length=None))
    async with stage(renew_every_s=0.01) as on, on.budgets.entered(unlimited):
        unlimited.usage.prompt_tokens = 7
        await on.budgets.accepted(unlimited)
        asked = on.store.num_asked
        await until(lambda: on.store.num_asked > asked + 1)
        told = [held.spent for held in (await on.ledger()).held.values()]

    assert told == [7]
    assert unlimited.max_tokens is None


@pytest.mark.parametrize("context", [None, 100_000])
async def test_without_max_tokens_an_answer_gets_a_quarter_of_what_is_left(
    context: int | None,
) -> None:
    model, limits = replace(DEMO, context_length=context), KeyLimits(tokens_per_minute=8000)
    async with stage() as on:
        first, second = (work(limits, max_tokens=None, model=model) for _ in range(2))
        async with on.budgets.entered(first), on.budgets.entered(second):
            set_aside = await on.charged()
            first.usage.prompt_tokens = 4500
            await on.budgets.accepted(first)
            accepted = await on.charged()

    assert (first.max_tokens, second.max_tokens) == (2000, 1500)
    assert (set_aside, accepted) == (3500, 8000)


async def test_without_max_tokens_little_is_still_a_beginning() -> None:
    async with stage() as on:
        several = [work(max_tokens=None) for _ in range(4)]
        async with contextlib.AsyncExitStack() as running:
            for each in several[:3]:
                await running.enter_async_context(on.budgets.entered(each))
            with pytest.raises(BudgetSpent):
                await running.enter_async_context(on.budgets.entered(several[3]))

    assert [each.max_tokens for each in several] == [256, 256, 256, None]


async def test_changes_of_one_ledger_are_written_together() -> None:
    async with stage() as on:
        limits = KeyLimits(requests_per_minute=100)

        async def ask() -> bool:
            try:
                async with on.budgets.entered(work(limits)):
                    return True
            except BudgetSpent:
                return False

        outcomes = await asyncio.gather(*(ask() for _ in range(1000)))

        assert sum(outcomes) == 100
        assert on.store.num_asked < 20


async def test_who_leaves_while_it_is_asked_leaves_nothing_behind() -> None:
    async with stage() as on:

        async def ask() -> None:
            async with on.budgets.entered(work()):
                await asyncio.Event().wait()

        asking = asyncio.create_task(ask())
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        await until(lambda: not on.budgets.num_unsettled)

        assert await on.charged() == 0
        assert (await on.ledger()).held == {}


async def test_what_is_left_is_asked_of_the_store_at_most_once_a_second() -> None:
    async with stage() as on:
        caller = work().caller
        first = [await on.budgets.left(caller) for _ in range(5)]
        other = await on.budgets.left(replace(caller, limits=KeyLimits(parallel_requests=2)))

        assert on.store.num_asked == 2
        assert {(left and left.tokens and left.tokens.remaining) for left in first} == {1000}
        assert other is not None
        assert other.tokens is None
