"""What /v1/usage and /admin/usage take, and their answers as strict types."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from frontend_api.web.answer_types import Answer
from frontend_api.web.query import Query


class DaysQuery(Query):
    """Which days, of UTC, both included; unless given, the last thirty."""

    first_day: date | None = Field(default=None, description="As 2026-11-22.")
    last_day: date | None = Field(default=None, description="Unless given, today.")


class UsageQuery(DaysQuery):
    """Whose usage of what."""

    key_id: str | None = Field(default=None, description="Of this key only; empty: without a key.")
    model: str | None = Field(default=None, description="Of this model only.")


class UsageSums(Answer):
    """What was used, all together."""

    num_requests: int = Field(description="Generations that the model was asked for.")
    prompt_tokens: int
    cached_tokens: int = Field(
        description="Of the prompts' tokens, those that were computed before."
    )
    completion_tokens: int


class UsageOfDay(UsageSums):
    """What one key used of one model on one day."""

    day: str
    key_id: str = Field(description="Empty: without a key, and the titles that the service writes.")
    model: str


class Usage(Answer):
    """Usage by day, key and model, in this order."""

    object: Literal["usage"]
    first_day: str
    last_day: str
    totals: UsageSums
    data: list[UsageOfDay]
    has_more: bool = Field(description="Not all of it is listed: ask for fewer days, or one key.")


class Left(Answer):
    """One limit, and what is left of it."""

    limit: int
    remaining: int
    reset_s: float = Field(description="Seconds until all of it is there again.")


class LeftOfKey(Answer):
    """The limits of a key; null: there is none."""

    requests_per_minute: Left | None
    tokens_per_minute: Left | None
    tokens_per_day: Left | None
    parallel_requests: Left | None


class OwnUsage(Usage):
    """What the caller has used and has left."""

    key_id: str | None
    left: LeftOfKey
