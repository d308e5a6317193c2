"""Running messages in SQLite; each function works inside the transaction it is given."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from sqlite3 import Row
from typing import Final

import orjson
from aiosqlite import Connection

from frontend_api.adapters import sqlite_messages
from frontend_api.adapters.session_documents import (
    ending_document,
    folded,
    interruption,
    joined,
    pieces_document,
)
from frontend_api.adapters.sqlite_sessions import one
from frontend_api.domain.errors import Conflict
from frontend_api.domain.messages import INTERRUPTED, Ending
from frontend_api.domain.stored import Checkpoint, RunState

# Runs ended in one transaction, so that the other writers wait for milliseconds only.
EXPIRED_AT_ONCE: Final = 20

_OWN: Final = "SELECT * FROM messages WHERE owner = ? AND id = ? AND worker = ?"
_CHECKPOINT: Final = """
    UPDATE messages SET
        num_pieces = :num_pieces,
        lease_until = max(lease_until, :lease_until),
        status = CASE WHEN status = 'queued' AND :num_pieces = 0
            THEN 'queued' ELSE 'in_progress' END,
        ending = NULL,
        folded = '',
        joined = NULL
    WHERE number = :number
"""
_REQUEST_CANCEL: Final = """
    UPDATE messages SET is_cancel_requested = 1
    WHERE owner = ? AND id = ? AND status IN ('queued', 'in_progress') RETURNING number
"""
_EXPIRED: Final = """
    SELECT * FROM messages
    WHERE status IN ('queued', 'in_progress') AND lease_until <= ? LIMIT ?
"""


async def save(db: Connection, checkpoint: Checkpoint) -> RunState | None:
    """Add what is new and renew the lease; None when the worker has no such run."""
    row = await one(db, _OWN, (checkpoint.owner, checkpoint.message_id, checkpoint.worker))
    if row is None:
        return None
    num_pieces: int = row["num_pieces"]
    if not _has_ended(row):
        num_pieces = await _add(db, row, checkpoint)
    return RunState(num_pieces, bool(row["is_cancel_requested"]))


async def finish(db: Connection, checkpoint: Checkpoint, ending: Ending) -> bool:
    """Add the last pieces and the ending; raises Conflict when pieces before them are missing."""
    row = await one(db, _OWN, (checkpoint.owner, checkpoint.message_id, checkpoint.worker))
    if row is None:
        return False
    if _has_ended(row):
        return True
    if await _add(db, row, checkpoint) < checkpoint.first:
        raise Conflict(f"Pieces of '{checkpoint.message_id}' before these are missing.")
    await _end(db, row, ending)
    return True


async def request_cancel(db: Connection, owner: str, message_id: str) -> bool:
    """Leave word for the worker that runs it; False unless it runs."""
    return await one(db, _REQUEST_CANCEL, (owner, message_id)) is not None


async def expire_leases(db: Connection, now: float) -> int:
    """End some of the runs whose lease is over; how many."""
    rows = list(await db.execute_fetchall(_EXPIRED, (now, EXPIRED_AT_ONCE)))
    for row in rows:
        await _end(db, row, interruption(now))
    return len(rows)


def _has_ended(row: Row) -> bool:
    # An interrupted run goes on when its worker was only slow.
    return row["ending"] is not None and orjson.loads(row["ending"])["reason"] != INTERRUPTED


async def _add(db: Connection, row: Row, checkpoint: Checkpoint) -> int:
    """Store the pieces that are not there yet; returns how many there are then.

    Pieces that would leave a gap are not stored: the caller sees it by the number.
    """
    num_pieces: int = row["num_pieces"]
    is_gap = checkpoint.first > num_pieces
    new = () if is_gap else checkpoint.pieces[num_pieces - checkpoint.first :]
    if new:
        records = orjson.dumps(pieces_document(new)).decode()
        sql = "INSERT INTO pieces VALUES (?, ?, ?)"
        await db.execute_fetchall(sql, (row["number"], num_pieces, records))
    place = {"number": row["number"], "lease_until": checkpoint.lease_until}
    await db.execute_fetchall(_CHECKPOINT, {**place, "num_pieces": num_pieces + len(new)})
    return num_pieces + len(new)


async def _end(db: Connection, row: Row, ending: Ending) -> None:
    message = await sqlite_messages.whole(db, row)
    if message.run is None:
        return
    ended = replace(message, run=replace(message.run, status=ending.status, ending=ending))
    document = orjson.dumps(ending_document(ending)).decode()
    # In a thread for the same reason as reading the pieces.
    texts = await asyncio.to_thread(lambda: (folded(ended), orjson.dumps(joined(ended)).decode()))
    sql = "UPDATE messages SET status = ?, ending = ?, folded = ?, joined = ? WHERE number = ?"
    await db.execute_fetchall(sql, (ending.status, document, *texts, row["number"]))
