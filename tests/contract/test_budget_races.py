"""A thousand requests at once, at several workers: the limit is let in, and not one more."""

import asyncio
from contextlib import AsyncExitStack

from frontend_api.domain.errors import BudgetSpent
from frontend_api.domain.generation import Usage
from frontend_api.domain.keys import KeyLimits
from frontend_api.domain.model import ServedModel
from frontend_api.service.admission import Work
from frontend_api.service.budgets import Budgets
from frontend_api.service.callers import Caller
from frontend_api.telemetry import Telemetry
from frontend_api.wiring import SystemClock
from tests.contract.stores import Opener

NUM_WORKERS = 4
NUM_REQUESTS = 1000
LIMIT = 100
TOKENS_EACH = 10
ROUNDS = (
    KeyLimits(requests_per_minute=LIMIT),
    KeyLimits(tokens_per_minute=LIMIT * TOKENS_EACH, tokens_per_day=LIMIT * TOKENS_EACH),
)


def work(key_id: str, limits: KeyLimits) -> Work:
    return Work(
        caller=Caller(key_id=key_id, limits=limits),
        model=ServedModel("demo"),
        request_id="",
        num_sequences=1,
        max_tokens=TOKENS_EACH,
        usage=Usage(),
    )


async def is_let_in(budgets: Budgets, asked: Work) -> bool:
    try:
        async with budgets.entered(asked):
            await asyncio.sleep(0)
            asked.usage.completion_tokens = TOKENS_EACH
    except BudgetSpent:
        return False
    return True


async def test_of_a_thousand_requests_at_four_workers_a_hundred_are_let_in(opener: Opener) -> None:
    async with AsyncExitStack() as opened:
        workers = []
        for _ in range(NUM_WORKERS):
            store = await opened.enter_async_context(opener())
            workers.append(Budgets(store, SystemClock(), Telemetry(), lease_s=60))
            await opened.enter_async_context(workers[-1].open())

        let_in = []
        for number, limits in enumerate(ROUNDS):
            asked = (
                is_let_in(workers[each % NUM_WORKERS], work(f"key{number}", limits))
                for each in range(NUM_REQUESTS)
            )
            let_in.append(sum(await asyncio.gather(*asked)))

    assert let_in == [LIMIT] * len(ROUNDS)
