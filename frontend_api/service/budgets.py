"""The budgets of keys: a gate before the model.

How it works: prompt and answer at their largest are set aside before the model is asked, as far as
they are known; the model tells the size of the prompt when it accepts, before it has said a word.
While a generation runs, the ledger is told every second what it has used; at its end the real
count takes the place of what was set aside. When the store is away then, that waits for it here.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections import OrderedDict, defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from frontend_api.domain.budgets import Allowance, Reservation
from frontend_api.domain.errors import BudgetSpent, StoreLost
from frontend_api.domain.keys import KeyLimits
from frontend_api.domain.ledger import Ledger
from frontend_api.ports import BudgetStore, Clock
from frontend_api.service.admission import Work
from frontend_api.service.books import Books
from frontend_api.service.callers import Caller
from frontend_api.telemetry import Telemetry

_ID_BYTES: Final = 8
RENEW_EVERY_S: Final = 1.0
# An answer's last event waits so long for the ledger, so that the key's next request finds it.
_SETTLING_S: Final = 0.5
# With less left, an answer without a limit of its own is not begun.
_LEAST_TOKENS: Final = 256
# It gets one part in four of what is left: prompts and other answers need some too.
_PARTS: Final = 4
# What a key was last told it has left is shown again for so long.
_TOLD_S: Final = 1.0
_MAX_TOLD: Final = 10_000
_log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Hold:
    """What a running generation has set aside; num_answered: of it, for the answers."""

    id: str
    subject: str
    work: Work
    num_tokens: int = 0
    num_answered: int = 0
    is_refused: bool = False
    is_held: bool = False
    most: int | None = None

    @property
    def spent(self) -> int:
        spent = self.work.usage.prompt_tokens + self.work.usage.completion_tokens
        return spent if self.most is None else min(spent, self.most)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a key had left, at that time of the monotonic clock."""

    allowance: Allowance
    limits: KeyLimits
    at: float


class Budgets:
    """The gate; keys without limits pass it untouched."""

    def __init__(
        self,
        store: BudgetStore,
        clock: Clock,
        telemetry: Telemetry,
        *,
        lease_s: float,
        renew_every_s: float = RENEW_EVERY_S,
    ) -> None:
        """Use these; lease_s: a worker that is silent for so long has crashed."""
        self._renew_every_s = renew_every_s
        self._books = Books(store)
        self._clock = clock
        self._telemetry = telemetry
        self._lease_s = lease_s
        self._running: dict[Work, _Hold] = {}
        self._unsettled: dict[_Hold, None] = {}
        self._told: OrderedDict[str, _Told] = OrderedDict()

    @property
    def num_unsettled(self) -> int:
        """How many have ended of which the store does not know it yet."""
        return len(self._unsettled)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None, None]:
        """Tell the ledgers every second what runs, and settle after the block what has ended."""
        async with self._books.open():
            renewal = asyncio.create_task(self._keep_renewing())
            try:
                yield
            finally:
                renewal.cancel()
                await asyncio.wait([renewal])
                for hold in self._unsettled:
                    self._begin_to_settle(hold)

    @asynccontextmanager
    async def entered(self, work: Work) -> AsyncGenerator[None, None]:
        """Set aside what the work may need; raises BudgetSpent and StoreLost."""
        subject = subject_of(work.caller)
        if subject is None or work.is_own:
            yield
            return
        hold = self._running[work] = _Hold(secrets.token_hex(_ID_BYTES), subject, work)
        try:
            await self._reserve(hold)
            yield
        finally:
            del self._running[work]
            if not hold.is_refused:
                await self._settle(hold)

    async def accepted(self, work: Work) -> None:
        """Set aside what the prompts turned out to need beyond it; raises as `entered` does."""
        hold = self._running.get(work)
        if hold is None or not work.caller.limits.has_token_budget:
            return
        needed = work.usage.prompt_tokens + hold.num_answered
        if needed > hold.num_tokens:
            await self._widen(hold, needed)

    async def left(self, caller: Caller) -> Allowance | None:
        """Return what the caller has left, at most a second ago; None: without limits."""
        subject = subject_of(caller)
        if subject is None:
            return None
        told = self._told.get(subject)
        now = self._clock.monotonic()
        if told is not None and now - told.at <= _TOLD_S and told.limits == caller.limits:
            return told.allowance
        return await self._books.change(subject, partial(self._look, caller.limits, subject))

    async def _reserve(self, hold: _Hold) -> None:
        limits, work, now = hold.work.caller.limits, hold.work, self._clock.now()
        wanted, least = _wanted(work, limits)
        has_told = work.max_tokens is not None
        asked = Reservation(
            id=hold.id,
            limits=limits,
            num_tokens=wanted,
            least_tokens=least,
            made_at=now,
            lease_until=now + self._lease_s,
            parts=1 if has_told else _PARTS,
        )
        try:
            hold.num_tokens = await self._granted(hold, lambda ledger: ledger.reserve(asked))
        except BudgetSpent:
            hold.is_refused = True
            raise
        self._telemetry.limit_passed()
        hold.is_held = True
        if has_told:
            hold.num_answered = hold.num_tokens
        elif limits.has_token_budget and hold.num_tokens < _whole(work):
            work.max_tokens = max(1, hold.num_tokens // work.num_sequences)
            hold.num_answered = work.max_tokens * work.num_sequences

    async def _widen(self, hold: _Hold, needed: int) -> None:
        limits, now = hold.work.caller.limits, self._clock.now()

        def widen(ledger: Ledger) -> int:
            ledger.widen(hold.id, limits, needed, now)
            return needed

        try:
            hold.num_tokens = await self._granted(hold, widen)
        except BudgetSpent:
            # The model may have read the prompt; beyond the limit nothing is charged all the same.
            hold.most = hold.num_tokens
            raise

    async def _granted(self, hold: _Hold, ask: Callable[[Ledger], int]) -> int:
        """Return what was set aside; raises the refusal. Either way it is known what is left."""
        limits = hold.work.caller.limits

        def change(ledger: Ledger) -> int | BudgetSpent:
            try:
                return ask(ledger)
            except BudgetSpent as refusal:
                return refusal
            finally:
                self._look(limits, hold.subject, ledger)

        answer = await self._books.change(hold.subject, change)
        if isinstance(answer, BudgetSpent):
            self._telemetry.limit_refused(answer.limit)
            raise answer
        return answer

    def _look(self, limits: KeyLimits, subject: str, ledger: Ledger) -> Allowance:
        allowance = ledger.allowance(limits, self._clock.now())
        self._told.pop(subject, None)
        self._told[subject] = _Told(allowance, limits, self._clock.monotonic())
        if len(self._told) > _MAX_TOLD:
            self._told.popitem(last=False)
        return allowance

    async def _settle(self, hold: _Hold) -> None:
        """Let the real count take the place of what was set aside, now or later."""
        self._unsettled[hold] = None
        await asyncio.wait([self._begin_to_settle(hold)], timeout=_SETTLING_S)

    def _begin_to_settle(self, hold: _Hold) -> asyncio.Future[Allowance]:
        num_tokens = hold.spent

        def settle(ledger: Ledger) -> Allowance:
            ledger.settle(hold.id, num_tokens)
            return self._look(hold.work.caller.limits, hold.subject, ledger)

        def note(settled: asyncio.Future[Allowance]) -> None:
            is_settled = not settled.cancelled() and settled.exception() is None
            # What was refused because the store is away is left to its lease, should the store
            # have it at all: there may be as many of these as requests come.
            if is_settled or not hold.is_held:
                self._unsettled.pop(hold, None)

        settling = self._books.change(hold.subject, settle)
        settling.add_done_callback(note)
        return settling

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(self._renew_every_s)
            for hold in self._unsettled:
                self._begin_to_settle(hold)
            renewing = [self._renew(*each) for each in self._held_by_subject().items()]
            for done in (await asyncio.wait(renewing))[0] if renewing else ():
                error = done.exception()
                if error is not None and not isinstance(error, StoreLost):
                    _log.error("budgets.fault", exc_info=error)

    def _held_by_subject(self) -> Mapping[str, Sequence[_Hold]]:
        held: defaultdict[str, list[_Hold]] = defaultdict(list)
        for hold in self._running.values():
            if hold.is_held:
                held[hold.subject].append(hold)
        return held

    def _renew(self, subject: str, running: Sequence[_Hold]) -> asyncio.Future[None]:
        lease_until = self._clock.now() + self._lease_s

        def renew(ledger: Ledger) -> None:
            for hold in running:
                ledger.renew(hold.id, hold.spent, lease_until)

        return self._books.change(subject, renew)


def subject_of(caller: Caller) -> str | None:
    """Return whose ledger the caller's requests are written into; None: nobody's."""
    return caller.key_id if caller.limits.has_budget else None


def _wanted(work: Work, limits: KeyLimits) -> tuple[int, int]:
    """Return how many tokens to set aside, and with how many it may begin."""
    if not limits.has_token_budget:
        return 0, 0
    if work.max_tokens is not None:
        most = round(min(work.num_sequences * work.max_tokens, _whole(work)))
        return most, most
    budget = min(filter(None, (limits.tokens_per_minute, limits.tokens_per_day)))
    wanted = round(min(_whole(work), max(budget, work.num_sequences)))
    return wanted, min(wanted, work.num_sequences * _LEAST_TOKENS, budget)


def _whole(work: Work) -> float:
    """Return what prompts and answers come to at most: they fit into the context together."""
    return work.num_sequences * (work.model.context_length or math.inf)
