"""API keys in SQLite; each function works inside the transaction it is given."""

from __future__ import annotations

import json
import sqlite3
from typing import Final

from aiosqlite import Connection

from frontend_api.adapters.key_documents import key_document, key_of
from frontend_api.adapters.sqlite_sessions import one
from frontend_api.domain.errors import Conflict, NotFound
from frontend_api.domain.keys import ApiKey, KeyPage

_ADD: Final = "INSERT INTO api_keys (id, created_at, version, record) VALUES (?, ?, ?, ?)"
_SAVE: Final = """
    UPDATE api_keys SET version = ?, record = ? WHERE id = ? AND version = ? RETURNING id
"""
_GET: Final = "SELECT record FROM api_keys WHERE id = ?"
_PLACE: Final = "SELECT created_at, id FROM api_keys WHERE id = ?"
_PAGE: Final = """
    SELECT record FROM api_keys WHERE (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?
"""
_BEGINNING: Final = (float("-inf"), "")


async def add(db: Connection, key: ApiKey) -> None:
    """Add it."""
    await db.execute_fetchall(_ADD, (key.id, key.created_at, key.version, _record(key)))


async def save(db: Connection, key: ApiKey) -> None:
    """Put it in the place of the version before."""
    places = (key.version, _record(key), key.id, key.version - 1)
    if not list(await db.execute_fetchall(_SAVE, places)):
        raise Conflict("The key was changed meanwhile.")


async def get(db: Connection, key_id: str) -> ApiKey | None:
    """Return it."""
    row = await one(db, _GET, (key_id,))
    return None if row is None else _key(row)


async def page(db: Connection, *, after: str | None, limit: int) -> KeyPage:
    """Return the keys after that one."""
    place = _BEGINNING if after is None else await _place(db, after)
    rows = list(await db.execute_fetchall(_PAGE, (*place, limit + 1)))
    return KeyPage([_key(row) for row in rows[:limit]], len(rows) > limit)


async def _place(db: Connection, key_id: str) -> tuple[float, str]:
    row = await one(db, _PLACE, (key_id,))
    if row is None:
        raise NotFound(f"No API key with id '{key_id}'.", param="after")
    return row["created_at"], row["id"]


def _record(key: ApiKey) -> str:
    return json.dumps(key_document(key))


def _key(row: sqlite3.Row) -> ApiKey:
    return key_of(json.loads(row["record"]))
