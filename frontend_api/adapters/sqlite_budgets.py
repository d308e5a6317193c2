"""Ledgers and usage in SQLite; each function works inside the transaction it is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Final, TypeVar

from aiosqlite import Connection

from frontend_api.adapters.ledger_documents import ledger_document, ledger_of
from frontend_api.adapters.sqlite_sessions import one
from frontend_api.domain.budgets import UsageRow
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
_USAGE: Final = """
    SELECT day, key_id, model, num_requests, prompt_tokens, cached_tokens, completion_tokens
    FROM usage WHERE day BETWEEN ? AND ? AND (? IS NULL OR key_id = ?)
    ORDER BY day, key_id, model
"""


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


async def usage(
    db: Connection, first_day: str, last_day: str, key_id: str | None
) -> Sequence[UsageRow]:
    """Return the sums of these days."""
    rows = await db.execute_fetchall(_USAGE, (first_day, last_day, key_id, key_id))
    return [UsageRow(**dict(row)) for row in rows]
