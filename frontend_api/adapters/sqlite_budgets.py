"""Ledgers and usage in SQLite; each function works inside the transaction it is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple
from typing import Final, TypeVar

from aiosqlite import Connection

from frontend_api.adapters.ledger_documents import ledger_document, ledger_of
from frontend_api.adapters.sqlite_sessions import one
from frontend_api.domain.budgets import UsageFilter, UsagePage, UsageRow
from frontend_api.domain.ledger import Ledger

Result = TypeVar("Result")

_GET: Final = "SELECT record FROM ledgers WHERE subject = ?"
_PUT: Final = "INSERT OR REPLACE INTO ledgers (subject, record) VALUES (?, ?)"
_ADD: Final = """
    INSERT INTO usage (
        day, key_id, model, num_requests, prompt_tokens, cached_tokens, completion_tokens
    ) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (day, key_id, model) DO UPDATE SET
        num_requests = num_requests + excluded.num_requests,
        prompt_tokens = prompt_tokens + excluded.prompt_tokens,
        cached_tokens = cached_tokens + excluded.cached_tokens,
        completion_tokens = completion_tokens + excluded.completion_tokens
"""
# Of one key by the index `usage_of_key`: there may be a million others.
_WANTED: Final = """
    FROM usage WHERE day BETWEEN :first_day AND :last_day
    AND (:model IS NULL OR model = :model)
"""
_OF_KEY: Final = f"{_WANTED} AND key_id = :key_id"
_ROWS: Final = """
    SELECT day, key_id, model, num_requests, prompt_tokens, cached_tokens, completion_tokens
"""
_SUMS: Final = """
    SELECT coalesce(sum(num_requests), 0) AS num_requests,
        coalesce(sum(prompt_tokens), 0) AS prompt_tokens,
        coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(completion_tokens), 0) AS completion_tokens
"""
_IN_ORDER: Final = "ORDER BY day, key_id, model LIMIT :limit"


async def change(db: Connection, subject: str, work: Callable[[Ledger], Result]) -> Result:
    """Let this work on the ledger, and keep what has become of it."""
    row = await one(db, _GET, (subject,))
    before = "" if row is None else row["record"]
    ledger = ledger_of(json.loads(before)) if before else Ledger()
    result = work(ledger)
    after = json.dumps(ledger_document(ledger))
    if after != before:
        await db.execute_fetchall(_PUT, (subject, after))
    return result


async def add_usage(db: Connection, rows: Sequence[UsageRow]) -> None:
    """Add these to what is there."""
    await db.executemany(_ADD, [astuple(row) for row in rows])


async def usage(db: Connection, wanted: UsageFilter, limit: int) -> UsagePage:
    """Return what was used."""
    found, values = _WANTED if wanted.key_id is None else _OF_KEY, asdict(wanted)
    (sums,) = await db.execute_fetchall(f"{_SUMS} {found}", values)
    rows = list(
        await db.execute_fetchall(f"{_ROWS} {found} {_IN_ORDER}", {**values, "limit": limit + 1})
    )
    used = [UsageRow(**dict(row)) for row in rows[:limit]]
    return UsagePage(used, dict(sums), len(rows) > limit)
