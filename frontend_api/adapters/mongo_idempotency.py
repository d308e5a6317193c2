"""Idempotency keys in MongoDB; each function works with the collections it is given."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pymongo.errors import DuplicateKeyError

from frontend_api.adapters.mongo_driver import Collections
from frontend_api.adapters.mongo_sessions import place
from frontend_api.adapters.session_documents import Document
from frontend_api.domain.errors import Conflict
from frontend_api.domain.stored import IdempotencyClaim, IdempotencyRecord, KeptAnswer

# Each round but the first means that a record went away in this moment.
_MAX_ROUNDS: Final = 3


async def claim(db: Collections, claim: IdempotencyClaim) -> IdempotencyRecord | None:
    """Return None when the key is new, and is now taken; else what is known of it."""
    there = place(claim.owner, key=claim.key)
    over = {**there, "expires_at": {"$lte": claim.claimed_at}}
    for _ in range(_MAX_ROUNDS):
        try:
            await db.idempotency.insert_one(_document(claim))
        except DuplicateKeyError:
            if await db.idempotency.find_one_and_replace(over, _document(claim)) is not None:
                return None
        else:
            return None
        known = await db.idempotency.find_one(there)
        if known is not None:
            return _record(known)
    raise Conflict("Another request with this idempotency key has just ended: try again.")


async def keep(
    db: Collections, owner: str, key: str, claimed_at: float, answer: KeptAnswer
) -> None:
    """Store the answer of a key that was claimed then."""
    kept = {"status": answer.status, "content_type": answer.content_type, "body": answer.body}
    held = {**place(owner, key=key), "claimed_at": claimed_at}
    await db.idempotency.update_one(held, {"$set": {"answer": kept}})


async def release(db: Collections, owner: str, key: str, claimed_at: float) -> None:
    """Forget a key that was claimed then and has no answer."""
    held = {**place(owner, key=key), "claimed_at": claimed_at}
    await db.idempotency.delete_one({**held, "answer": None})


async def delete_expired(db: Collections, now: float) -> int:
    """Remove those that are over and that MongoDB has not removed itself; how many."""
    return (await db.idempotency.delete_many({"expires_at": {"$lte": now}})).deleted_count


def _document(claim: IdempotencyClaim) -> Document:
    return {
        "owner": claim.owner,
        "key": claim.key,
        "fingerprint": claim.fingerprint,
        "claimed_at": claim.claimed_at,
        "expires_at": claim.expires_at,
        # The same for the TTL index, which wants a date.
        "expires_on": datetime.fromtimestamp(claim.expires_at, UTC),
        "answer": None,
    }


def _record(document: Document) -> IdempotencyRecord:
    answer = document["answer"]
    return IdempotencyRecord(
        document["fingerprint"],
        document["claimed_at"],
        None if answer is None else KeptAnswer(**answer),
    )
