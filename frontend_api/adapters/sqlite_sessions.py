"""Sessions in SQLite; each function works inside the transaction it is given."""

from __future__ import annotations

from collections.abc import Mapping
from sqlite3 import Row
from typing import Any, Final

import orjson
from aiosqlite import Connection

from frontend_api.adapters.session_documents import (
    Document,
    changes_document,
    session_document,
    session_of,
)
from frontend_api.domain.errors import Conflict, LimitReached, NotFound
from frontend_api.domain.sessions import Session, SessionChanges, SessionPage

# Sessions removed in one transaction, so that the other writers wait for milliseconds only.
EXPIRED_AT_ONCE: Final = 100

_INSERT: Final = """
    INSERT INTO sessions VALUES (
        :owner, :id, :created_at, :updated_at, :title, :title_source, :is_pinned, :metadata,
        :head, :head_version, :num_messages, :expires_at)
"""
_GET: Final = """
    SELECT * FROM sessions
    WHERE owner = :owner AND id = :id AND (expires_at IS NULL OR expires_at > :now)
"""
_COUNT: Final = """
    SELECT count(*) AS num FROM sessions
    WHERE owner = :owner AND (expires_at IS NULL OR expires_at > :now)
"""
_PAGE: Final = """
    SELECT * FROM sessions
    WHERE owner = :owner AND (expires_at IS NULL OR expires_at > :now)
        AND (is_pinned, updated_at, id) < (:is_pinned, :updated_at, :id)
    ORDER BY is_pinned DESC, updated_at DESC, id DESC LIMIT :limit
"""
_CHANGE: Final = """
    UPDATE sessions SET
        title = coalesce(:title, title),
        title_source = coalesce(:title_source, title_source),
        is_pinned = coalesce(:is_pinned, is_pinned),
        metadata = coalesce(:metadata, metadata),
        updated_at = coalesce(:updated_at, updated_at),
        expires_at = coalesce(:expires_at, expires_at)
    WHERE owner = :owner AND id = :id
        AND (:seen_title_source IS NULL OR title_source = :seen_title_source)
    RETURNING *
"""
_MOVE_HEAD: Final = """
    UPDATE sessions SET
        head = :head,
        head_version = head_version + 1,
        num_messages = num_messages + :num_added,
        updated_at = coalesce(:updated_at, updated_at)
    WHERE owner = :owner AND id = :id RETURNING *
"""
_DELETE_EXPIRED: Final = """
    DELETE FROM sessions WHERE (owner, id) IN (
        SELECT owner, id FROM sessions WHERE expires_at <= :now LIMIT :limit)
    RETURNING id
"""


async def create(db: Connection, session: Session, max_sessions: int) -> None:
    """Add it; raises Conflict and LimitReached."""
    place = {"owner": session.owner, "id": session.id, "now": session.created_at}
    # An expired one that was not removed yet is no longer there for anybody.
    await db.execute_fetchall(
        "DELETE FROM sessions WHERE owner = :owner AND id = :id AND expires_at <= :now", place
    )
    if await one(db, _GET, place) is not None:
        raise Conflict(f"There is a session '{session.id}' already.")
    counted = await one(db, _COUNT, place)
    if max_sessions and counted is not None and counted["num"] >= max_sessions:
        raise LimitReached(f"There are {max_sessions} sessions, as many as are kept: delete some.")
    await db.execute_fetchall(_INSERT, _row(session_document(session)))


async def get(db: Connection, owner: str, session_id: str, now: float) -> Session | None:
    """Return it; None when unknown or expired."""
    row = await one(db, _GET, {"owner": owner, "id": session_id, "now": now})
    return None if row is None else _session(row)


async def page(
    db: Connection, owner: str, now: float, *, after: str | None, limit: int
) -> SessionPage:
    """Return the sessions after that one; raises NotFound when it is unknown."""
    # Nothing sorts after the first place, as no flag is larger than 1.
    place: Document = {"is_pinned": 2, "updated_at": 0, "id": ""}
    if after is not None:
        # Whether it has expired meanwhile does not matter: its place in the order is known.
        row = await one(db, _GET, {"owner": owner, "id": after, "now": float("-inf")})
        if row is None:
            raise NotFound(f"There is no session '{after}' to list after.", param="after")
        place = dict(row)
    asked = {"owner": owner, "now": now, "limit": limit + 1}
    rows = list(await db.execute_fetchall(_PAGE, {**place, **asked}))
    return SessionPage([_session(row) for row in rows[:limit]], has_more=len(rows) > limit)


async def change(
    db: Connection, owner: str, session_id: str, changes: SessionChanges
) -> Session | None:
    """Set what is given; None when unknown, or its title was from elsewhere."""
    nothing = dict.fromkeys(SessionChanges.__dataclass_fields__)
    given = {**_row(changes_document(changes)), "seen_title_source": changes.seen_title_source}
    row = await one(db, _CHANGE, {**nothing, **given, "owner": owner, "id": session_id})
    return None if row is None else _session(row)


async def delete(db: Connection, owner: str, session_id: str) -> bool:
    """Remove it; its messages and their pieces go with it."""
    sql = "DELETE FROM sessions WHERE owner = ? AND id = ? RETURNING id"
    return await one(db, sql, (owner, session_id)) is not None


async def delete_expired(db: Connection, now: float) -> int:
    """Remove some of those that are over; how many."""
    place = {"now": now, "limit": EXPIRED_AT_ONCE}
    return len(list(await db.execute_fetchall(_DELETE_EXPIRED, place)))


async def checked(
    db: Connection, owner: str, session_id: str, head_version: int, now: float
) -> Session:
    """Return the session if its head has not moved; raises Conflict and NotFound."""
    session = await get(db, owner, session_id, now)
    if session is None:
        raise NotFound(f"There is no session '{session_id}'.")
    if session.head_version != head_version:
        raise Conflict(f"Session '{session_id}' has gone on meanwhile: read it again.")
    return session


async def move_head(
    db: Connection, session: Session, head: str | None, *, num_added: int = 0, at: float | None
) -> Session:
    """Put the head there; at: the new `updated_at`, None leaves it."""
    row = await one(
        db,
        _MOVE_HEAD,
        {
            "owner": session.owner,
            "id": session.id,
            "head": head,
            "num_added": num_added,
            "updated_at": at,
        },
    )
    if row is None:
        raise NotFound(f"There is no session '{session.id}'.")
    return _session(row)


async def one(db: Connection, sql: str, parameters: Mapping[str, Any] | tuple[Any, ...]) -> Any:
    """Return the first row, None when there is none."""
    return next(iter(await db.execute_fetchall(sql, parameters)), None)


def _row(document: Document) -> Document:
    if "metadata" not in document:
        return document
    return {**document, "metadata": orjson.dumps(document["metadata"]).decode()}


def _session(row: Row) -> Session:
    document = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a Row iterates its values
    document["is_pinned"] = bool(document["is_pinned"])
    return session_of({**document, "metadata": orjson.loads(document["metadata"])})
