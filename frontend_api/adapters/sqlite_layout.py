"""The tables of the SQLite store, and the steps that bring an older file up to date.

The number of steps a file has seen is its stamp, `PRAGMA user_version`. A step that was released
is never changed: a new layout is a new step at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiosqlite import Connection

from frontend_api.domain.stored import StoreRefused

# "Cnch", so that `file` and we can tell our files from those of other programs.
APPLICATION_ID: Final = 0x436E6368

_FIRST: Final = (
    """
    CREATE TABLE sessions (
        owner TEXT NOT NULL,
        id TEXT NOT NULL,
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        title TEXT NOT NULL,
        title_source TEXT NOT NULL,
        is_pinned INTEGER NOT NULL,
        metadata TEXT NOT NULL,
        head TEXT,
        head_version INTEGER NOT NULL,
        num_messages INTEGER NOT NULL,
        expires_at REAL,
        PRIMARY KEY (owner, id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX sessions_listed ON sessions (owner, is_pinned, updated_at, id)",
    "CREATE INDEX sessions_expiring ON sessions (expires_at) WHERE expires_at IS NOT NULL",
    # The columns from `model` on are the run; a message of input has NULL there. `number` is the
    # order of arrival. `folded` is searched: the text, casefolded, once a run has ended.
    """
    CREATE TABLE messages (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        owner TEXT NOT NULL,
        id TEXT NOT NULL,
        session_id TEXT NOT NULL,
        parent_id TEXT,
        created_at REAL NOT NULL,
        said TEXT NOT NULL,
        removed TEXT NOT NULL,
        is_deleted INTEGER NOT NULL,
        folded TEXT NOT NULL,
        model TEXT,
        status TEXT,
        worker TEXT,
        lease_until REAL,
        settings TEXT,
        ending TEXT,
        is_background INTEGER,
        is_cancel_requested INTEGER,
        num_dropped INTEGER,
        num_pieces INTEGER NOT NULL DEFAULT 0,
        UNIQUE (owner, id),
        FOREIGN KEY (owner, session_id) REFERENCES sessions (owner, id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX messages_of_session ON messages (owner, session_id, number)",
    "CREATE INDEX messages_by_age ON messages (owner, created_at, number)",
    """
    CREATE INDEX messages_running ON messages (lease_until)
    WHERE status IN ('queued', 'in_progress')
    """,
    # One row for each checkpoint that brought something: a JSON array of pieces from `first` on.
    """
    CREATE TABLE pieces (
        message INTEGER NOT NULL REFERENCES messages (number) ON DELETE CASCADE,
        first INTEGER NOT NULL,
        records TEXT NOT NULL,
        PRIMARY KEY (message, first)
    )
    """,
    """
    CREATE TABLE idempotency (
        owner TEXT NOT NULL,
        key TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        claimed_at REAL NOT NULL,
        expires_at REAL NOT NULL,
        status INTEGER,
        content_type TEXT,
        body BLOB,
        PRIMARY KEY (owner, key)
    )
    """,
    "CREATE INDEX idempotency_expiring ON idempotency (expires_at)",
)
# `record` is the whole key as JSON; what is searched for has a column.
_API_KEYS: Final = (
    """
    CREATE TABLE api_keys (
        id TEXT PRIMARY KEY,
        created_at REAL NOT NULL,
        version INTEGER NOT NULL,
        record TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE INDEX api_keys_listed ON api_keys (created_at, id)",
)
# What a run came to, once it has ended: a JSON array of its pieces, neighbours joined, from which
# whole sessions are read. Where it is NULL the pieces themselves are.
_JOINED: Final = ("ALTER TABLE messages ADD COLUMN joined TEXT",)
# `record` is the whole ledger as JSON: it is only ever read and written as one.
_BUDGETS: Final = (
    """
    CREATE TABLE ledgers (
        subject TEXT PRIMARY KEY,
        record TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE usage (
        day TEXT NOT NULL,
        key_id TEXT NOT NULL,
        model TEXT NOT NULL,
        num_requests INTEGER NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        cached_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL,
        PRIMARY KEY (day, key_id, model)
    ) WITHOUT ROWID
    """,
)
_AUDIT: Final = (
    """
    CREATE TABLE audit (
        id TEXT PRIMARY KEY,
        at REAL NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL,
        outcome TEXT NOT NULL,
        request_id TEXT NOT NULL,
        address TEXT NOT NULL,
        count INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE INDEX audit_by_age ON audit (at, id)",
)
# Who asks for the usage of one key does not look through that of all.
_USAGE_OF_KEY: Final = ("CREATE INDEX usage_of_key ON usage (key_id, day, model)",)
MIGRATIONS: Final[Sequence[Sequence[str]]] = (
    *(_FIRST, _API_KEYS, _JOINED, _BUDGETS, _AUDIT, _USAGE_OF_KEY),
)


async def bring_up_to_date(db: Connection) -> None:
    """Take the steps this file has not seen, all or none; several workers may come at once.

    Raises StoreRefused when a newer version, or another program, has written it.
    """
    await db.execute("BEGIN IMMEDIATE")
    try:
        version = await _number(db, "PRAGMA user_version")
        await _refuse_foreign(db, version)
        for step in MIGRATIONS[version:]:
            for statement in step:
                await db.execute(statement)
        await db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        await db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    except BaseException:
        await db.rollback()
        raise
    await db.execute("COMMIT")


async def _refuse_foreign(db: Connection, version: int) -> None:
    if version > len(MIGRATIONS):
        raise StoreRefused(
            f"it was written by a newer version (layout {version}, this one knows"
            f" {len(MIGRATIONS)}): start that version, or name another file"
        )
    is_ours = await _number(db, "PRAGMA application_id") == APPLICATION_ID
    is_empty = await _number(db, "SELECT count(*) FROM sqlite_master") == 0
    if not is_ours and not is_empty:
        raise StoreRefused("it is the database of another program: name another file")


async def _number(db: Connection, sql: str) -> int:
    rows = list(await db.execute_fetchall(sql))
    return int(rows[0][0])
