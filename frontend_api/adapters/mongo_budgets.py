"""Ledgers and usage in MongoDB; each function works with the collections it is given.

How it works: a ledger is one document with a version. A change reads it, works on it here, and
puts it back in one update that finds the version it has read, or is tried again. A worker sends
the changes of one key together, one batch at a time, so that only workers meet here, not requests.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from pymongo import UpdateOne
from pymongo.errors import DuplicateKeyError

from frontend_api.adapters.ledger_documents import ledger_document, ledger_of
from frontend_api.adapters.mongo_driver import Collections
from frontend_api.adapters.session_documents import Document
from frontend_api.domain.budgets import UsageFilter, UsagePage, UsageRow
from frontend_api.domain.ledger import Ledger

Result = TypeVar("Result")

_KEY: Final = ("day", "key_id", "model")
_SUMS: Final = ("num_requests", "prompt_tokens", "cached_tokens", "completion_tokens")
# Longer than another worker's change takes, so that those who have met do not meet again.
_PAUSE_S: Final = 0.005


async def change(db: Collections, subject: str, work: Callable[[Ledger], Result]) -> Result:
    """Let this work on the ledger, and keep what has become of it; it may be called again."""
    while True:
        found = await db.ledgers.find_one({"_id": {"$eq": subject}})
        ledger = Ledger() if found is None else ledger_of(found)
        before = ledger_document(ledger)
        result = work(ledger)
        after = ledger_document(ledger)
        if after == before or await _put(db, subject, found, after):
            return result
        # The caller's time-out ends this, should it ever be needed.
        await asyncio.sleep(random.uniform(0, _PAUSE_S))  # noqa: S311 - no secret


async def _put(db: Collections, subject: str, found: Document | None, after: Document) -> bool:
    version = 0 if found is None else found["version"]
    new = {"_id": subject, "version": version + 1, **after}
    if found is None:
        try:
            await db.ledgers.insert_one(new)
        except DuplicateKeyError:
            return False
        return True
    there = {"_id": {"$eq": subject}, "version": version}
    return (await db.ledgers.replace_one(there, new)).matched_count == 1


async def add_usage(db: Collections, rows: Sequence[UsageRow]) -> None:
    """Add these to what is there."""
    await db.usage.bulk_write([_addition(row) for row in rows], ordered=False)


async def usage(db: Collections, wanted: UsageFilter, limit: int) -> UsagePage:
    """Return what was used."""
    there: Document = {"day": {"$gte": wanted.first_day, "$lte": wanted.last_day}}
    for name, value in (("key_id", wanted.key_id), ("model", wanted.model)):
        if value is not None:
            there[name] = {"$eq": value}
    found = db.usage.find(there, {"_id": False}).sort([(name, 1) for name in _KEY])
    rows = [UsageRow(**each) for each in await found.limit(limit + 1).to_list(None)]
    return UsagePage(rows[:limit], await _totals(db, there), len(rows) > limit)


async def _totals(db: Collections, there: Document) -> Mapping[str, int]:
    sums = {name: {"$sum": f"${name}"} for name in _SUMS}
    steps = [{"$match": there}, {"$group": {"_id": None, **sums}}]
    # As a command: the two drivers have two ways to call `aggregate`.
    answer = await db.usage.database.command(
        {"aggregate": db.usage.name, "pipeline": steps, "cursor": {}}
    )
    found = answer["cursor"]["firstBatch"] or [{}]
    return {name: found[0].get(name, 0) for name in _SUMS}


def _addition(row: UsageRow) -> UpdateOne:
    # `$eq`, so that no name is taken for an operator; an upsert makes fields of it all the same.
    there = {name: {"$eq": getattr(row, name)} for name in _KEY}
    more = {name: getattr(row, name) for name in _SUMS}
    return UpdateOne(there, {"$inc": more}, upsert=True)
