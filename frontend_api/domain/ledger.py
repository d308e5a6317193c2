"""The ledger of one key's budgets: what it has used, and what is set aside for what still runs.

How it works: requests and tokens are counted in the second in which the request came. Any sixty
seconds touch sixty-one of these, so the sum of those never leaves more in than the limit; and a
record never grows beyond them. A reservation remembers its second and its day: once it is settled,
these are put right. One whose lease is over is charged with what was last told of it; its worker,
should it live after all, can still put that right for a while.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from frontend_api.domain.budgets import Allowance, Reservation, Share
from frontend_api.domain.errors import BudgetSpent
from frontend_api.domain.keys import KeyLimits

_WINDOW_S: Final = 60
_SECONDS_PER_DAY: Final = 86_400
# For so long the worker of a lapsed reservation may come back, after an outage of the store.
_FORGOTTEN_AFTER_S: Final = 900
# A clock that is put back must not leave a key without its budget until it is the same time again.
_CREDIBLE_S: Final = 120
# Nobody knows when a running request ends.
_SOON_S: Final = 1
_WORDS: Final = {
    "requests": "requests per minute",
    "tokens": "tokens per minute",
    "tokens_per_day": "tokens per day",
    "parallel": "parallel requests",
}


@dataclass(slots=True)
class Used:
    """What came in one second."""

    requests: int = 0
    tokens: int = 0


@dataclass(slots=True)
class Held:
    """A reservation; charged: the tokens that are counted for it now, spent: what was last told."""

    second: int
    day: str
    charged: int
    spent: int
    lease_until: float


@dataclass(slots=True)
class Ledger:
    """The record; whoever keeps it lets one change at a time work on it. Times are since 1970."""

    seconds: dict[int, Used] = field(default_factory=dict)
    day: str = ""
    day_tokens: int = 0
    held: dict[str, Held] = field(default_factory=dict)

    def reserve(self, asked: Reservation) -> int:
        """Set it aside; return for how many tokens. Done again, it changes nothing.

        Raises BudgetSpent, and sets nothing aside, when a limit does not leave so much.
        """
        now = asked.made_at
        self._age(now)
        if (known := self.held.get(asked.id)) is not None:
            return known.charged
        self._require_place(asked.limits, now)
        self._require_request(asked.limits, now)
        left = self._tokens_left(asked.limits, now, asked.least_tokens)
        num_tokens = int(min(asked.num_tokens, max(asked.least_tokens, left / asked.parts)))
        second = int(now)
        self.seconds.setdefault(second, Used()).requests += 1
        held = self.held[asked.id] = Held(second, self.day, 0, 0, asked.lease_until)
        self._charge(held, num_tokens)
        return num_tokens

    def widen(self, reservation_id: str, limits: KeyLimits, num_tokens: int, now: float) -> None:
        """Set so many tokens aside for it in all; raises BudgetSpent as `reserve` does."""
        self._age(now)
        held = self.held.get(reservation_id)
        if held is not None and num_tokens > held.charged:
            self._require_possible(limits, num_tokens)
            self._tokens_left(limits, now, num_tokens - held.charged)
            self._charge(held, num_tokens)

    def renew(self, reservation_id: str, num_tokens: int, lease_until: float) -> None:
        """Note that it still runs, and what it has used so far."""
        held = self.held.get(reservation_id)
        if held is not None:
            held.spent, held.lease_until = num_tokens, lease_until
            self._charge(held, max(held.charged, num_tokens))

    def settle(self, reservation_id: str, num_tokens: int) -> None:
        """Count what it has used, and nothing else, for it; done again, it changes nothing."""
        held = self.held.pop(reservation_id, None)
        if held is not None:
            self._charge(held, num_tokens)

    def allowance(self, limits: KeyLimits, now: float) -> Allowance:
        """Return what is left; changes nothing."""
        counted = [(second, used) for second, used in self.seconds.items() if _counts(second, now)]
        requests = sum(used.requests for _, used in counted)
        tokens = sum(used.tokens for _, used in counted)
        day_tokens = self.day_tokens if self._is_today(now) else 0
        running = sum(held.lease_until > now for held in self.held.values())
        asked_at = (second for second, used in counted if used.requests)
        told_at = (second for second, used in counted if used.tokens)
        return Allowance(
            requests=_share(limits.requests_per_minute, requests, _end_of(asked_at, now)),
            tokens=_share(limits.tokens_per_minute, tokens, _end_of(told_at, now)),
            tokens_per_day=_share(limits.tokens_per_day, day_tokens, _until_midnight(now)),
            parallel=_share(limits.parallel_requests, running, _SOON_S if running else 0),
        )

    def _age(self, now: float) -> None:
        if not self._is_today(now):
            self.day, self.day_tokens = _day(now), 0
        for second in [second for second in self.seconds if not _counts(second, now)]:
            del self.seconds[second]
        for reservation_id, held in list(self.held.items()):
            if held.lease_until <= now:
                self._charge(held, held.spent)
            if held.lease_until + _FORGOTTEN_AFTER_S <= now:
                del self.held[reservation_id]

    def _is_today(self, now: float) -> bool:
        # A worker whose clock is ahead may have begun the next day: the others follow it.
        return self.day in (_day(now), _day(now + _CREDIBLE_S))

    def _charge(self, held: Held, num_tokens: int) -> None:
        more = num_tokens - held.charged
        held.charged = num_tokens
        if held.second in self.seconds:
            self.seconds[held.second].tokens += more
        if held.day == self.day:
            self.day_tokens += more

    def _require_place(self, limits: KeyLimits, now: float) -> None:
        limit = limits.parallel_requests
        running = sum(held.lease_until > now for held in self.held.values())
        if limit is not None and running >= limit:
            raise _spent("parallel", limit, running, 1, wait_s=_SOON_S)

    def _require_request(self, limits: KeyLimits, now: float) -> None:
        limit = limits.requests_per_minute
        used = sum(used.requests for used in self.seconds.values())
        if limit is not None and used >= limit:
            wait_s = self._wait_s(lambda used: used.requests, used + 1 - limit, now)
            raise _spent("requests", limit, used, 1, wait_s=wait_s)

    def _require_possible(self, limits: KeyLimits, num_tokens: int) -> None:
        minute, day = limits.tokens_per_minute, limits.tokens_per_day
        if minute is not None and num_tokens > minute:
            used = sum(used.tokens for used in self.seconds.values())
            raise _spent("tokens", minute, used, num_tokens, wait_s=0)
        if day is not None and num_tokens > day:
            raise _spent("tokens_per_day", day, self.day_tokens, num_tokens, wait_s=0)

    def _tokens_left(self, limits: KeyLimits, now: float, needed: int) -> float:
        """Return how many tokens are left, which may be any number; raises BudgetSpent for fewer
        than are needed.
        """
        minute, day = limits.tokens_per_minute, limits.tokens_per_day
        left = math.inf
        if day is not None:
            left = day - self.day_tokens
            if left < needed:
                wait_s = _until_midnight(now)
                raise _spent("tokens_per_day", day, self.day_tokens, needed, wait_s=wait_s)
        if minute is not None:
            used = sum(used.tokens for used in self.seconds.values())
            left = min(left, minute - used)
            if minute - used < needed:
                wait_s = self._wait_s(lambda used: used.tokens, used + needed - minute, now)
                raise _spent("tokens", minute, used, needed, wait_s=wait_s)
        return left

    def _wait_s(self, count: Callable[[Used], int], needed: int, now: float) -> float:
        """Return in how many seconds so much of it has left the minute."""
        for second in sorted(self.seconds):
            needed -= count(self.seconds[second])
            if needed <= 0:
                return _leaves_at(second) - now
        return _WINDOW_S


def _counts(second: int, now: float) -> bool:
    return int(now) - _WINDOW_S <= second <= now + _CREDIBLE_S


def _leaves_at(second: int) -> int:
    return second + _WINDOW_S + 1


def _end_of(seconds: Iterable[int], now: float) -> float:
    return _leaves_at(max(seconds, default=int(now) - _WINDOW_S - 1)) - now


def _day(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def _until_midnight(now: float) -> float:
    return _SECONDS_PER_DAY - now % _SECONDS_PER_DAY


def _share(limit: int | None, used: int, reset_s: float) -> Share | None:
    if limit is None:
        return None
    remaining = min(limit, max(0, limit - used))
    return Share(limit=limit, remaining=remaining, reset_s=max(0.0, reset_s) if used else 0.0)


def _spent(name: str, limit: int, used: int, requested: int, *, wait_s: float) -> BudgetSpent:
    """Return the refusal in OpenAI's words; name: of the limit."""
    figures = f"{_WORDS[name]}: Limit {limit}, Used {used}, Requested {requested}."
    if requested > limit:
        large = f"Request too large for this API key on {figures} Ask for less."
        return BudgetSpent(large, limit=name)
    wait_s = max(1, math.ceil(wait_s))
    return BudgetSpent(
        f"Rate limit reached for this API key on {figures} Please try again in {wait_s}s.",
        limit=name,
        retry_after_s=wait_s,
    )
