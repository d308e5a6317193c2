"""The audit in MongoDB; each function works with the collections it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from pymongo import UpdateOne

from frontend_api.adapters.mongo_driver import Collections
from frontend_api.adapters.session_documents import Document
from frontend_api.domain.audit import AuditEntry, AuditFilter, AuditPage
from frontend_api.domain.errors import NotFound

_ORDER: Final = [("at", -1), ("_id", -1)]


async def add(db: Collections, entries: Sequence[AuditEntry]) -> None:
    """Add these."""
    await db.audit.bulk_write([_addition(entry) for entry in entries], ordered=False)


async def page(db: Collections, wanted: AuditFilter, *, after: str | None, limit: int) -> AuditPage:
    """Return those before that one, the newest first."""
    filters = {name: {"$eq": value} for name, value in asdict(wanted).items() if value is not None}
    beyond = {} if after is None else await _beyond(db, after)
    cursor = db.audit.find({**filters, **beyond}).sort(_ORDER).limit(limit + 1)
    found = await cursor.to_list(None)
    return AuditPage([_entry(each) for each in found[:limit]], len(found) > limit)


async def delete(db: Collections, before: float) -> int:
    """Remove those older than that time."""
    return int((await db.audit.delete_many({"at": {"$lt": before}})).deleted_count)


def _addition(entry: AuditEntry) -> UpdateOne:
    fields = asdict(entry)
    return UpdateOne({"_id": {"$eq": fields.pop("id")}}, {"$setOnInsert": fields}, upsert=True)


async def _beyond(db: Collections, entry_id: str) -> Document:
    last = await db.audit.find_one({"_id": {"$eq": entry_id}})
    if last is None:
        raise NotFound(f"No audit entry with id '{entry_id}'.", param="after")
    same_time = {"at": last["at"], "_id": {"$lt": entry_id}}
    return {"$or": [{"at": {"$lt": last["at"]}}, same_time]}


def _entry(document: Document) -> AuditEntry:
    return AuditEntry(id=document.pop("_id"), **document)
