"""Idempotency keys in SQLite; each function works inside the transaction it is given."""

from __future__ import annotations

from typing import Final

from aiosqlite import Connection

from frontend_api.adapters.sqlite_sessions import one
from frontend_api.domain.stored import IdempotencyClaim, IdempotencyRecord, KeptAnswer

_KNOWN: Final = "SELECT * FROM idempotency WHERE owner = ? AND key = ? AND expires_at > ?"
_CLAIM: Final = """
    INSERT OR REPLACE INTO idempotency (owner, key, fingerprint, claimed_at, expires_at)
    VALUES (?, ?, ?, ?, ?)
"""
_KEEP: Final = """
    UPDATE idempotency SET status = ?, content_type = ?, body = ?
    WHERE owner = ? AND key = ? AND claimed_at = ?
"""
_RELEASE: Final = """
    DELETE FROM idempotency WHERE owner = ? AND key = ? AND claimed_at = ? AND status IS NULL
"""


async def claim(db: Connection, claim: IdempotencyClaim) -> IdempotencyRecord | None:
    """Return None when the key is new, and is now taken; else what is known of it."""
    row = await one(db, _KNOWN, (claim.owner, claim.key, claim.claimed_at))
    if row is None:
        times = (claim.claimed_at, claim.expires_at)
        await db.execute_fetchall(_CLAIM, (claim.owner, claim.key, claim.fingerprint, *times))
        return None
    is_answered = row["status"] is not None
    answer = KeptAnswer(row["status"], row["content_type"], row["body"]) if is_answered else None
    return IdempotencyRecord(row["fingerprint"], row["claimed_at"], answer)


async def keep(db: Connection, owner: str, key: str, claimed_at: float, answer: KeptAnswer) -> None:
    """Store the answer of a key that was claimed then."""
    fields = (answer.status, answer.content_type, answer.body)
    await db.execute_fetchall(_KEEP, (*fields, owner, key, claimed_at))


async def release(db: Connection, owner: str, key: str, claimed_at: float) -> None:
    """Forget a key that was claimed then and has no answer."""
    await db.execute_fetchall(_RELEASE, (owner, key, claimed_at))


async def delete_expired(db: Connection, now: float) -> int:
    """Remove those that are over; how many."""
    sql = "DELETE FROM idempotency WHERE expires_at <= ? RETURNING key"
    return len(list(await db.execute_fetchall(sql, (now,))))
