"""The audit in SQLite; each function works inside the transaction it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields
from typing import Final

from aiosqlite import Connection

from frontend_api.adapters.sqlite_sessions import one
from frontend_api.domain.audit import AuditEntry, AuditFilter, AuditPage
from frontend_api.domain.errors import NotFound

_COLUMNS: Final = tuple(field.name for field in fields(AuditEntry))
_NAMES: Final = ", ".join(_COLUMNS)
_PLACES: Final = ", ".join("?" * len(_COLUMNS))
_ADD: Final = f"INSERT OR IGNORE INTO audit ({_NAMES}) VALUES ({_PLACES})"  # noqa: S608 - constants
_PLACE: Final = "SELECT at, id FROM audit WHERE id = ?"
# Without a filter its column is compared with itself.
_PAGE: Final = f"""
    SELECT {_NAMES} FROM audit
    WHERE (at, id) < (?, ?) AND actor = coalesce(?, actor) AND action = coalesce(?, action)
    ORDER BY at DESC, id DESC LIMIT ?
"""  # noqa: S608 - constants
_DELETE: Final = "DELETE FROM audit WHERE at < ? RETURNING id"
_END: Final = (float("inf"), "")


async def add(db: Connection, entries: Sequence[AuditEntry]) -> None:
    """Add these."""
    await db.executemany(_ADD, [astuple(entry) for entry in entries])


async def page(db: Connection, wanted: AuditFilter, *, after: str | None, limit: int) -> AuditPage:
    """Return those before that one, the newest first."""
    place = _END if after is None else await _place(db, after)
    values = (*place, wanted.actor, wanted.action, limit + 1)
    rows = list(await db.execute_fetchall(_PAGE, values))
    return AuditPage([AuditEntry(**dict(row)) for row in rows[:limit]], len(rows) > limit)


async def delete(db: Connection, before: float) -> int:
    """Remove those older than that time."""
    return len(list(await db.execute_fetchall(_DELETE, (before,))))


async def _place(db: Connection, entry_id: str) -> tuple[float, str]:
    row = await one(db, _PLACE, (entry_id,))
    if row is None:
        raise NotFound(f"No audit entry with id '{entry_id}'.", param="after")
    return row["at"], row["id"]
