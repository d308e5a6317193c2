"""API keys in MongoDB; each function works with the collections it is given."""

from __future__ import annotations

from typing import Final

from frontend_api.adapters.key_documents import key_document, key_of
from frontend_api.adapters.mongo_driver import Collections
from frontend_api.adapters.session_documents import Document
from frontend_api.domain.errors import Conflict, NotFound
from frontend_api.domain.keys import ApiKey, KeyPage

_ORDER: Final = [("created_at", 1), ("_id", 1)]


async def add(db: Collections, key: ApiKey) -> None:
    """Add it."""
    await db.api_keys.insert_one(_document(key))


async def save(db: Collections, key: ApiKey) -> None:
    """Put it in the place of the version before."""
    before = {"_id": {"$eq": key.id}, "version": key.version - 1}
    if (await db.api_keys.replace_one(before, _document(key))).matched_count == 0:
        raise Conflict("The key was changed meanwhile.")


async def get(db: Collections, key_id: str) -> ApiKey | None:
    """Return it."""
    found = await db.api_keys.find_one({"_id": {"$eq": key_id}})
    return None if found is None else key_of(found)


async def page(db: Collections, *, after: str | None, limit: int) -> KeyPage:
    """Return the keys after that one."""
    beyond = {} if after is None else await _beyond(db, after)
    found = await db.api_keys.find(beyond).sort(_ORDER).limit(limit + 1).to_list(None)
    return KeyPage([key_of(each) for each in found[:limit]], len(found) > limit)


async def _beyond(db: Collections, key_id: str) -> Document:
    last = await get(db, key_id)
    if last is None:
        raise NotFound(f"No API key with id '{key_id}'.", param="after")
    same_time = {"created_at": last.created_at, "_id": {"$gt": last.id}}
    return {"$or": [{"created_at": {"$gt": last.created_at}}, same_time]}


def _document(key: ApiKey) -> Document:
    return {"_id": key.id, **key_document(key)}
