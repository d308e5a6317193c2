"""What a key may use in a minute and a day, and what it has used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from frontend_api.domain.keys import KeyLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What one request sets aside of its key's budgets, until it is settled.

    num_tokens: what it would like to have; of what is left it gets one part in `parts` at most,
    or `least_tokens` if that is more.
    lease_until: who does not renew it by then has crashed.
    """

    id: str
    limits: KeyLimits
    num_tokens: int
    least_tokens: int
    made_at: float
    lease_until: float
    parts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One limit as its user sees it; reset_s: until all of it is there again."""

    limit: int
    remaining: int
    reset_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left of a key's budgets after a request; None: without a limit."""

    requests: Share | None = None
    tokens: Share | None = None
    tokens_per_day: Share | None = None
    parallel: Share | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What one key used of one model on one day (UTC, `2026-11-22`); key_id "": without keys."""

    day: str
    key_id: str
    model: str
    num_requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFilter:
    """Which usage is wanted: of these days, the last one included; None: of all."""

    first_day: str
    last_day: str
    key_id: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class UsagePage:
    """The first rows by day, key and model; totals: the counts of those that follow as well."""

    rows: Sequence[UsageRow]
    totals: Mapping[str, int]
    has_more: bool
