"""The indexes of the MongoDB store, and the steps that bring an older database up to date.

The number of steps a database has seen is its stamp, in the collection `layout`. A step that was
released is never changed: a new layout is a new step at the end. Several workers may take a step
at once, and one may be killed in it, so a step can be taken twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from pymongo import ASCENDING as UP
from pymongo import DESCENDING as DOWN
from pymongo import IndexModel

from frontend_api.adapters.mongo_driver import Collections
from frontend_api.domain.stored import StoreRefused

Step = Callable[[Collections], Awaitable[None]]

_STAMP: Final = {"_id": "conch"}
_SESSIONS: Final = (
    IndexModel([("owner", UP), ("id", UP)], unique=True),
    # In the order of a list: pinned first, then the last changed.
    IndexModel([("owner", UP), ("is_pinned", DOWN), ("updated_at", DOWN), ("id", DOWN)]),
    # The places of an owner who may have so many sessions and no more; see mongo_sessions.
    IndexModel(
        [("owner", UP), ("slot", UP)],
        unique=True,
        partialFilterExpression={"slot": {"$exists": True}},
    ),
    IndexModel([("expires_at", UP)]),
    IndexModel([("is_going", UP)], sparse=True),
)
_MESSAGES: Final = (
    IndexModel([("owner", UP), ("id", UP)], unique=True),
    # One append has a turn; see mongo_messages.
    IndexModel([("session", UP), ("turn", UP), ("number", UP)], unique=True),
    # A search looks at the newest first.
    IndexModel([("owner", UP), ("created_at", DOWN), ("_id", DOWN)]),
    # Only what runs has a lease.
    IndexModel([("leased_until", UP)], sparse=True),
)
_IDEMPOTENCY: Final = (
    IndexModel([("owner", UP), ("key", UP)], unique=True),
    # MongoDB removes these itself; sessions it cannot, as their messages must go with them.
    IndexModel([("expires_on", UP)], expireAfterSeconds=0),
)


async def _first(db: Collections) -> None:
    await db.sessions.create_indexes([*_SESSIONS])
    await db.messages.create_indexes([*_MESSAGES])
    await db.idempotency.create_indexes([*_IDEMPOTENCY])


async def _api_keys(db: Collections) -> None:
    # Listed by age; `_id` is the id of the key.
    await db.api_keys.create_indexes([IndexModel([("created_at", UP), ("_id", UP)])])


async def _budgets(db: Collections) -> None:
    # A ledger's `_id` is its subject.
    await db.usage.create_indexes(
        [IndexModel([("day", UP), ("key_id", UP), ("model", UP)], unique=True)]
    )


async def _audit(db: Collections) -> None:
    # Read from its end; `_id` is the id of the entry.
    await db.audit.create_indexes([IndexModel([("at", DOWN), ("_id", DOWN)])])


async def _usage_of_key(db: Collections) -> None:
    # Who asks for the usage of one key does not look through that of all.
    await db.usage.create_indexes([IndexModel([("key_id", UP), ("day", UP), ("model", UP)])])


STEPS: Final[Sequence[Step]] = (_first, _api_keys, _budgets, _audit, _usage_of_key)


async def bring_up_to_date(db: Collections, steps: Sequence[Step] = STEPS) -> None:
    """Take the steps this database has not seen.

    Raises StoreRefused when a newer version, or another program, has written it.
    """
    name = db.layout.database.name
    # Before the stamp is read: whoever makes the first collection has written the stamp.
    is_empty = not await db.layout.database.list_collection_names()
    stamp = await db.layout.find_one(_STAMP)
    if stamp is None and not is_empty:
        raise StoreRefused(
            f"The MongoDB database '{name}' is of another program:"
            " name another one in [store] mongodb_database."
        )
    version = 0 if stamp is None else stamp["version"]
    if version > len(steps):
        raise StoreRefused(
            f"The MongoDB database '{name}' was written by a newer version (layout {version}, this"
            f" one knows {len(steps)}): start that version, or name another database."
        )
    if stamp is None:
        await _stamp(db, 0)
    for number, step in enumerate(steps[version:], version + 1):
        await step(db)
        await _stamp(db, number)


async def _stamp(db: Collections, version: int) -> None:
    await db.layout.update_one(_STAMP, {"$max": {"version": version}}, upsert=True)
