"""Sessions in MongoDB; each function works with the collections it is given.

A session that is deleted is marked first (`is_going`), and is then gone for everybody; its messages
follow, and then itself. `delete_expired` goes on where a worker was killed in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from secrets import choice
from typing import Any, Final, NamedTuple

from pymongo import DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from frontend_api.adapters.mongo_driver import Collections
from frontend_api.adapters.session_documents import (
    Document,
    changes_document,
    session_document,
    session_of,
)
from frontend_api.domain.errors import Conflict, LimitReached, NotFound
from frontend_api.domain.sessions import Session, SessionChanges, SessionPage

# Sessions removed in one call, which has a time-out.
EXPIRED_AT_ONCE: Final = 100

_ORDER: Final = [(name, DESCENDING) for name in ("is_pinned", "updated_at", "id")]
_NOT_GOING: Final = {"is_going": None}
_MARK: Final = {"$set": {"is_going": True}}


class Batch(NamedTuple):
    """How many were done, and whether there may be more to do."""

    num_done: int
    has_more: bool


def place(owner: str, **keys: str) -> Document:
    """Return the filter for what this owner has under these keys.

    `$eq`: whatever comes as a value is compared, never taken for an operator.
    """
    return {name: {"$eq": value} for name, value in {"owner": owner, **keys}.items()}


def alive(now: float | None) -> Document:
    """Return the filter for what has not expired; None: whatever the time."""
    if now is None:
        return _NOT_GOING
    return {**_NOT_GOING, "$or": [{"expires_at": None}, {"expires_at": {"$gt": now}}]}


def _over(now: float) -> Document:
    return {"$or": [{"is_going": True}, {"expires_at": {"$lte": now}}]}


async def create(db: Collections, session: Session, max_sessions: int) -> None:
    """Add it; raises Conflict and LimitReached."""
    added = {**session_document(session), "turn": 0, "fence": 0}
    if await _is_taken(db, session):
        raise Conflict(f"There is a session '{session.id}' already.")
    # Ends: each round but the last means that somebody else has taken the slot.
    while True:
        slot = await _free_slot(db, session, max_sessions) if max_sessions else {}
        try:
            await db.sessions.insert_one({**added, **slot})
        except DuplicateKeyError as exc:
            if "slot" not in (exc.details or {}).get("keyPattern", ()):
                raise
        else:
            return


async def _is_taken(db: Collections, session: Session) -> bool:
    found = await db.sessions.find_one(place(session.owner, id=session.id))
    if found is None:
        return False
    # One that is over and was not removed yet is no longer there for anybody.
    return not await _remove(db, {"_id": found["_id"], **_over(session.created_at)})


async def _free_slot(db: Collections, session: Session, max_sessions: int) -> Mapping[str, int]:
    """Return a slot that is free now; a unique index sees to it that nobody else gets it."""
    mine = place(session.owner)
    for has_cleared in (False, True):
        taken = await db.sessions.find(mine, {"slot": 1}).to_list(None)
        # Those from a time without a limit have none.
        slots = {found["slot"] for found in taken if "slot" in found}
        free = set(range(max_sessions - len(taken) + len(slots))) - slots
        if free and len(taken) < max_sessions:
            # Not the first: others look for one in the same moment.
            return {"slot": choice(sorted(free))}
        if not has_cleared:
            await _remove_some(db, {**mine, **_over(session.created_at)})
    raise LimitReached(f"There are {max_sessions} sessions, as many as are kept: delete some.")


async def get(db: Collections, owner: str, session_id: str, now: float | None) -> Session | None:
    """Return it; None when unknown or expired."""
    found = await db.sessions.find_one({**place(owner, id=session_id), **alive(now)})
    return None if found is None else session_of(found)


async def page(
    db: Collections, owner: str, now: float, *, after: str | None, limit: int
) -> SessionPage:
    """Return the sessions after that one; raises NotFound when it is unknown."""
    wanted = {**place(owner), "$and": [alive(now), await _after(db, owner, after)]}
    listed = db.sessions.find(wanted).sort(_ORDER).limit(limit + 1)
    sessions = [session_of(document) for document in await listed.to_list(None)]
    return SessionPage(sessions[:limit], has_more=len(sessions) > limit)


async def _after(db: Collections, owner: str, session_id: str | None) -> Document:
    if session_id is None:
        return {}
    # Whether it has expired meanwhile does not matter: its place in the order is known.
    last = await get(db, owner, session_id, None)
    if last is None:
        raise NotFound(f"There is no session '{session_id}' to list after.", param="after")
    same_pin = {"is_pinned": last.is_pinned}
    same_time = {**same_pin, "updated_at": last.updated_at}
    later: list[Document] = [
        {"is_pinned": {"$lt": last.is_pinned}},
        {**same_pin, "updated_at": {"$lt": last.updated_at}},
        {**same_time, "id": {"$lt": last.id}},
    ]
    return {"$or": later}


async def change(
    db: Collections, owner: str, session_id: str, changes: SessionChanges
) -> Session | None:
    """Set what is given; None when unknown, or its title was from elsewhere."""
    given = changes_document(changes)
    if not given:
        return await get(db, owner, session_id, None)
    seen = {} if changes.seen_title_source is None else {"title_source": changes.seen_title_source}
    changed = await _update(db, {**place(owner, id=session_id), **seen}, {"$set": given})
    return None if changed is None else session_of(changed)


async def delete(db: Collections, owner: str, session_id: str) -> bool:
    """Remove it with all its messages."""
    return await _remove(db, {**place(owner, id=session_id), **_NOT_GOING})


async def delete_expired(db: Collections, now: float) -> Batch:
    """Remove some of those that are over, and what is left of deleted ones."""
    return await _remove_some(db, _over(now))


async def _remove_some(db: Collections, over: Document) -> Batch:
    found = await db.sessions.find(over, {"_id": 1}).limit(EXPIRED_AT_ONCE).to_list(None)
    if not found:
        return Batch(0, has_more=False)
    ids = {"$in": [session["_id"] for session in found]}
    await db.sessions.update_many({**over, "_id": ids}, _MARK)
    # Not those that were given more time meanwhile.
    marked = await db.sessions.find({"_id": ids, "is_going": True}, {"_id": 1}).to_list(None)
    going = {"$in": [session["_id"] for session in marked]}
    await db.messages.delete_many({"session": going})
    deleted = await db.sessions.delete_many({"_id": going})
    return Batch(deleted.deleted_count, has_more=len(found) == EXPIRED_AT_ONCE)


async def _remove(db: Collections, wanted: Document) -> bool:
    going = await db.sessions.find_one_and_update(wanted, _MARK)
    if going is None:
        return False
    # By the session's own key: there may be a new session of the same id by now.
    await db.messages.delete_many({**place(going["owner"]), "session": going["_id"]})
    await db.sessions.delete_one({"_id": going["_id"]})
    return True


async def move_head(
    db: Collections, owner: str, session_id: str, head: str | None, head_version: int
) -> Session:
    """Put the head there; raises Conflict and NotFound."""
    seen = {**place(owner, id=session_id), "head_version": head_version}
    moved = await _update(db, seen, {"$set": {"head": head}, "$inc": {"head_version": 1}})
    if moved is None:
        raise await refusal(db, owner, session_id, None)
    return session_of(moved)


async def refusal(
    db: Collections, owner: str, session_id: str, now: float | None
) -> Conflict | NotFound:
    """Return why a head cannot be moved."""
    if await get(db, owner, session_id, now) is None:
        return NotFound(f"There is no session '{session_id}'.")
    return Conflict(f"Session '{session_id}' has gone on meanwhile: read it again.")


async def _update(db: Collections, wanted: Document, update: Document) -> Any:
    return await db.sessions.find_one_and_update(
        {**wanted, **_NOT_GOING}, update, return_document=ReturnDocument.AFTER
    )
