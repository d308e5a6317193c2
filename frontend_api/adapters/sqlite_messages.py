"""Messages in SQLite; each function works inside the transaction it is given.

Pieces are read in a thread: the 4,000 of a long answer take 12 ms, and other streams go on. A
whole session is read from what its ended runs came to, not from their pieces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from sqlite3 import Row
from typing import Any, Final

import orjson
from aiosqlite import Connection

from frontend_api.adapters import sqlite_sessions
from frontend_api.adapters.session_documents import (
    Document,
    folded,
    joined,
    message_document,
    message_of,
    parents_first,
    storable,
)
from frontend_api.adapters.sqlite_sessions import one
from frontend_api.domain.excerpts import excerpt
from frontend_api.domain.messages import Message
from frontend_api.domain.sessions import Found, Session

_RUN_COLUMNS: Final = (
    "model",
    "status",
    "worker",
    "lease_until",
    "settings",
    "ending",
    "is_background",
    "is_cancel_requested",
    "num_dropped",
)
_INSERT: Final = """
    INSERT INTO messages VALUES (
        NULL, :owner, :id, :session_id, :parent_id, :created_at, :said, :removed, :is_deleted,
        :folded, :model, :status, :worker, :lease_until, :settings, :ending, :is_background,
        :is_cancel_requested, :num_dropped, :num_pieces, :joined)
"""
_INSERT_PIECES: Final = """
    INSERT INTO pieces SELECT number, 0, :pieces FROM messages
    WHERE owner = :owner AND id = :id AND :num_pieces > 0
"""
_PIECES_OF_RUNNING: Final = """
    SELECT p.message, p.records FROM messages m JOIN pieces p ON p.message = m.number
    WHERE m.owner = ? AND m.session_id = ? AND m.joined IS NULL ORDER BY p.message, p.first
"""
_PIECES_FROM: Final = """
    SELECT first, records FROM pieces WHERE message = :number AND first >= (
        SELECT coalesce(max(first), 0) FROM pieces WHERE message = :number AND first <= :first)
    ORDER BY first
"""
_DELETE: Final = """
    UPDATE messages SET
        said = '[]', removed = '[]', folded = '', joined = NULL, is_deleted = 1, num_pieces = 0,
        model = NULL, status = NULL, worker = NULL, lease_until = NULL, settings = NULL,
        ending = NULL, is_background = NULL, is_cancel_requested = NULL, num_dropped = NULL
    WHERE owner = ? AND id = ? AND NOT is_deleted RETURNING number
"""
# `instr` and not LIKE: it takes the text as it is, %, _ and NUL among it.
_SEARCH: Final = """
    SELECT m.* FROM messages m JOIN sessions s ON s.owner = m.owner AND s.id = m.session_id
    WHERE m.owner = :owner AND (:session_id IS NULL OR m.session_id = :session_id)
        AND (s.expires_at IS NULL OR s.expires_at > :now) AND instr(m.folded, :sought) > 0
    ORDER BY m.created_at DESC, m.number DESC LIMIT :limit
"""


async def append(
    db: Connection, messages: Sequence[Message], head_version: int, at: float
) -> Session:
    """Add them and put the head on the last; raises Conflict and NotFound."""
    last = messages[-1]
    session = await sqlite_sessions.checked(db, last.owner, last.session_id, head_version, at)
    rows = [_row(message) for message in messages]
    await db.executemany(_INSERT, rows)
    await db.executemany(_INSERT_PIECES, rows)
    return await sqlite_sessions.move_head(db, session, last.id, num_added=len(rows), at=at)


async def get(db: Connection, owner: str, message_id: str, first: int = 0) -> Message | None:
    """Return it, with the pieces stored so far from that number on; None when unknown."""
    row = await one(db, "SELECT * FROM messages WHERE owner = ? AND id = ?", (owner, message_id))
    return None if row is None else await whole(db, row, first)


async def whole(db: Connection, row: Row, first: int = 0) -> Message:
    """Return the message of this row, with its pieces from that number on."""
    place = {"number": row["number"], "first": first}
    found = list(await db.execute_fetchall(_PIECES_FROM, place))
    num_skipped = first - found[0]["first"] if found else 0
    kept = [piece["records"] for piece in found]
    return await asyncio.to_thread(_message, row, kept, num_skipped)


async def tree(db: Connection, owner: str, session_id: str) -> Sequence[Message]:
    """Return all messages of a session, the oldest first and parents before their children."""
    pieces: dict[int, list[str]] = {}
    for number, records in await db.execute_fetchall(_PIECES_OF_RUNNING, (owner, session_id)):
        pieces.setdefault(number, []).append(records)
    sql = "SELECT * FROM messages WHERE owner = ? AND session_id = ? ORDER BY number"
    rows = await db.execute_fetchall(sql, (owner, session_id))
    return await asyncio.to_thread(_messages, rows, pieces)


async def remove_items(
    db: Connection, owner: str, message_id: str, numbers: Collection[int]
) -> bool:
    """Mark these items as removed; whether the message is there."""
    message = await get(db, owner, message_id)
    if message is None or message.is_deleted:
        return False
    left = replace(message, removed=message.removed | frozenset(numbers))
    removed = orjson.dumps(sorted(left.removed)).decode()
    sql = "UPDATE messages SET removed = ?, folded = ? WHERE owner = ? AND id = ?"
    await db.execute_fetchall(sql, (removed, folded(left), owner, message_id))
    return True


async def delete(db: Connection, owner: str, message_id: str) -> bool:
    """Mark it as deleted and drop its content; False when unknown or deleted before."""
    row = await one(db, _DELETE, (owner, message_id))
    if row is None:
        return False
    await db.execute_fetchall("DELETE FROM pieces WHERE message = ?", (row["number"],))
    return True


async def search(
    db: Connection, owner: str, text: str, now: float, *, limit: int, session_id: str | None
) -> Sequence[Found]:
    """Return messages that hold the text, the newest first; "" is held by none."""
    if not text:
        return ()
    asked = {"owner": owner, "sought": storable(text).casefold(), "now": now, "limit": limit}
    rows = await db.execute_fetchall(_SEARCH, {**asked, "session_id": session_id})
    found = [await whole(db, row) for row in rows]
    return [Found(hit.session_id, hit.id, excerpt(hit.text, text)) for hit in found]


def _row(message: Message) -> Document:
    document = message_document(message)
    run: Document = document.pop("run") or dict.fromkeys((*_RUN_COLUMNS, "pieces"))
    pieces: list[Any] = run["pieces"] or []
    ending, at_end = run["ending"], joined(message)
    return {
        **document,
        **run,
        "said": orjson.dumps(document["said"]).decode(),
        "removed": orjson.dumps(document["removed"]).decode(),
        "ending": None if ending is None else orjson.dumps(ending).decode(),
        "pieces": orjson.dumps(pieces).decode(),
        "num_pieces": len(pieces),
        "joined": None if at_end is None else orjson.dumps(at_end).decode(),
    }


def _messages(rows: Iterable[Row], pieces: Mapping[int, Sequence[str]]) -> Sequence[Message]:
    at_ends = ((row, row["joined"]) for row in rows)
    return parents_first(
        [
            _message(row, pieces.get(row["number"], ()) if at_end is None else [at_end])
            for row, at_end in at_ends
        ]
    )


def _message(row: Row, kept: Iterable[str], num_skipped: int = 0) -> Message:
    run: Document | None = None
    if row["model"] is not None:
        run = {name: row[name] for name in _RUN_COLUMNS}
        run["ending"] = None if run["ending"] is None else orjson.loads(run["ending"])
        found = [record for records in kept for record in orjson.loads(records)]
        run["pieces"] = found[num_skipped:]
    return message_of(
        {
            **{name: row[name] for name in ("id", "owner", "session_id", "parent_id")},
            "created_at": row["created_at"],
            "said": orjson.loads(row["said"]),
            "removed": orjson.loads(row["removed"]),
            "is_deleted": row["is_deleted"],
            "run": run,
        }
    )
