"""Messages in MongoDB; each function works with the collections it is given.

How an append is one step without transactions (a standalone server has none): the session counts
its appends (`turn`). An append adds its messages under the turn it found, and then moves the
session's head and turn, both only if nobody else has: this one write is the commit. Messages of a
turn that the session has not passed are not there for anybody. A unique index on the turn keeps
out a second append. What a killed worker left under a turn is removed by the next append, which
first takes a new `fence`: only who knows the session's fence can commit, so an owner of the
removed messages that is merely slow finds a Conflict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import orjson
from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.errors import BulkWriteError

from frontend_api.adapters.mongo_driver import Collections
from frontend_api.adapters.mongo_sessions import alive, place, refusal
from frontend_api.adapters.session_documents import (
    Document,
    emptied,
    folded,
    joined,
    message_document,
    message_of,
    parents_first,
    pieces_document,
    session_of,
    storable,
)
from frontend_api.domain.answer_pieces import Piece
from frontend_api.domain.errors import Conflict
from frontend_api.domain.excerpts import excerpt
from frontend_api.domain.messages import Message
from frontend_api.domain.sessions import Found, Session

_DUPLICATE: Final = 11000
# What removes leftovers is done once; more rounds mean that others append at the same time.
_MAX_ROUNDS: Final = 3
_IN_ORDER: Final = [("turn", ASCENDING), ("number", ASCENDING)]
_FIELDS: Final = (*Message.__dataclass_fields__, "num_pieces")
_NEWEST_FIRST: Final = [("created_at", DESCENDING), ("_id", DESCENDING)]


class _TurnTaken(Exception):  # noqa: N818 - seen in this file only
    """Messages lie under this turn already: of a killed worker, or of one that is just as far."""


async def append(
    db: Collections, messages: Sequence[Message], head_version: int, at: float
) -> Session:
    """Add them and put the head on the last; raises Conflict and NotFound."""
    owner, session_id = messages[-1].owner, messages[-1].session_id
    seen = {**place(owner, id=session_id), "head_version": head_version, **alive(at)}
    for _ in range(_MAX_ROUNDS):
        session = await db.sessions.find_one(seen, {"turn": 1, "fence": 1})
        if session is None:
            break
        added = [_placed(message, session, n) for n, message in enumerate(messages)]
        try:
            await _add(db, added)
        except _TurnTaken:
            await _clear_turn(db, owner, session)
            continue
        moved = await _commit(db, {**seen, **session}, messages, at)
        if moved is not None:
            return session_of(moved)
        await _take_back(db, added)
        break
    raise await refusal(db, owner, session_id, at)


def _placed(message: Message, session: Mapping[str, Any], number: int) -> Document:
    run = message.run
    lease = {"leased_until": run.lease_until} if run is not None and run.is_running else {}
    turn = {"session": session["_id"], "turn": session["turn"], "fence": session["fence"]}
    return {"_id": ObjectId(), **_chunked(message), **turn, "number": number, **lease}


def _chunked(message: Message) -> Document:
    """Return what is kept of a message: its pieces lie beside the run, one chunk a checkpoint.

    joined: once a run has ended, all of its pieces, neighbours joined, for reading whole sessions.
    """
    document = message_document(message)
    pieces = () if message.run is None else message.run.pieces
    if message.run is not None:
        del document["run"]["pieces"]
    chunks = [chunk_of(pieces, 0)] if pieces else []
    kept = {"chunks": chunks, "num_pieces": len(pieces), "joined": joined_text(message)}
    return {**document, **kept}


def chunk_of(pieces: Sequence[Piece], first: int) -> Document:
    """Return the pieces, of which the first has this number, as they are kept together.

    They are JSON in a string: an array of thousands of small arrays is slow in MongoDB.
    """
    records = orjson.dumps(pieces_document(pieces)).decode()
    return {"end": first + len(pieces), "records": records}


def joined_text(message: Message) -> str | None:
    """Return what its run came to as one JSON text; None while more may come."""
    records = joined(message)
    return None if records is None else orjson.dumps(records).decode()


def message_of_chunks(document: Mapping[str, Any], first: int = 0) -> Message:
    """Return the message that is kept so, with its pieces from that number on."""
    run, chunks = document["run"], document["chunks"]
    if run is None or not chunks:
        return message_of({**document, "run": run and {**run, "pieces": ()}})
    records = [record for chunk in chunks for record in orjson.loads(chunk["records"])]
    num_skipped = first - (chunks[-1]["end"] - len(records))
    return message_of({**document, "run": {**run, "pieces": records[num_skipped:]}})


def _messages(
    documents: Sequence[Mapping[str, Any]], chunks: Mapping[ObjectId, Sequence[Document]]
) -> Sequence[Message]:
    """Return the messages, those in `chunks` with these, the others with what they came to."""
    return parents_first([_message(document, chunks) for document in documents])


def _message(document: Mapping[str, Any], chunks: Mapping[ObjectId, Sequence[Document]]) -> Message:
    run, at_end = document["run"], document["joined"]
    if run is None or at_end is None:
        return message_of_chunks({**document, "chunks": chunks.get(document["_id"], ())})
    return message_of({**document, "run": {**run, "pieces": orjson.loads(at_end)}})


async def _add(db: Collections, added: Sequence[Document]) -> None:
    try:
        await db.messages.insert_many(added)
    except BulkWriteError as exc:
        errors = (exc.details or {}).get("writeErrors", [])
        if not errors or errors[0]["code"] != _DUPLICATE:
            raise
        await _take_back(db, added)
        if "turn" in errors[0]["keyPattern"]:
            raise _TurnTaken from exc
        raise Conflict("A message with one of these ids is there already.") from exc


async def _take_back(db: Collections, added: Sequence[Document]) -> None:
    await db.messages.delete_many({"_id": {"$in": [document["_id"] for document in added]}})


async def _clear_turn(db: Collections, owner: str, session: Mapping[str, Any]) -> None:
    fence = {"$inc": {"fence": 1}}
    if (await db.sessions.update_one(session, fence)).matched_count:
        left = {"session": session["_id"], "turn": session["turn"]}
        before = {"fence": {"$lte": session["fence"]}}
        await db.messages.delete_many({**place(owner), **left, **before})


async def _commit(
    db: Collections, seen: Mapping[str, Any], messages: Sequence[Message], at: float
) -> Document | None:
    return await db.sessions.find_one_and_update(
        seen,
        {
            "$set": {"head": messages[-1].id, "updated_at": at},
            "$inc": {"head_version": 1, "turn": 1, "num_messages": len(messages)},
        },
        return_document=ReturnDocument.AFTER,
    )


async def get(db: Collections, owner: str, message_id: str, first: int = 0) -> Message | None:
    """Return it, with the pieces stored so far from that number on; None when unknown."""
    is_new = {"$gt": ["$$this.end", first]}
    chunks = {"$filter": {"input": "$chunks", "as": "this", "cond": is_new}}
    wanted = {**dict.fromkeys(_FIELDS, 1), "chunks": chunks}
    found = await db.messages.find_one(place(owner, id=message_id), wanted)
    # In a thread, so that other streams go on while a long answer is read.
    return None if found is None else await asyncio.to_thread(message_of_chunks, found, first)


async def tree(db: Collections, owner: str, session_id: str) -> Sequence[Message]:
    """Return all messages of a session, the oldest first and parents before their children."""
    session = await db.sessions.find_one({**place(owner, id=session_id), **alive(None)})
    if session is None:
        return []
    passed = {"session": session["_id"], "turn": {"$lt": session["turn"]}}
    without_pieces = db.messages.find({**place(owner), **passed}, {"chunks": 0, "folded": 0})
    found = await without_pieces.sort(_IN_ORDER).to_list(None)
    running = [it["_id"] for it in found if it["run"] is not None and it["joined"] is None]
    pieces = db.messages.find({"_id": {"$in": running}}, {"chunks": 1})
    chunks = {it["_id"]: it["chunks"] for it in await pieces.to_list(None)} if running else {}
    return await asyncio.to_thread(_messages, found, chunks)


async def remove_items(
    db: Collections, owner: str, message_id: str, numbers: Collection[int]
) -> bool:
    """Mark these items as removed; whether the message is there."""
    there = {**place(owner, id=message_id), "is_deleted": False}
    marked = await db.messages.find_one_and_update(
        there,
        {"$addToSet": {"removed": {"$each": sorted(numbers)}}},
        return_document=ReturnDocument.AFTER,
    )
    if marked is None:
        return False
    # If another call has removed more, or the run has ended meanwhile, that one knows the text.
    as_seen = {**there, "removed": marked["removed"], "run.status": _status(marked)}
    await db.messages.update_one(as_seen, {"$set": {"folded": folded(message_of_chunks(marked))}})
    return True


def _status(document: Mapping[str, Any]) -> str | None:
    run = document["run"]
    return None if run is None else run["status"]


async def delete(db: Collections, owner: str, message_id: str) -> bool:
    """Mark it as deleted and drop its content; False when unknown or deleted before."""
    there = {**place(owner, id=message_id), "is_deleted": False}
    found = await db.messages.find_one(there)
    if found is None:
        return False
    empty = _chunked(emptied(message_of_chunks(found)))
    deleted = await db.messages.update_one(there, {"$set": empty, "$unset": {"leased_until": ""}})
    return deleted.matched_count > 0


async def search(
    db: Collections, owner: str, text: str, now: float, *, limit: int, session_id: str | None
) -> Sequence[Found]:
    """Return messages that hold the text, the newest first; "" is held by none."""
    if not text or storable(text) != text:
        return []
    within = {} if session_id is None else {"session_id": session_id}
    # Not a regular expression: it would have to be escaped, and cannot hold a NUL.
    holds = {"$gte": [{"$indexOfBytes": ["$folded", {"$literal": text.casefold()}]}, 0]}
    turns: dict[ObjectId, int] = {}
    found: list[Found] = []
    candidates = db.messages.find({**place(owner, **within), "$expr": holds}).sort(_NEWEST_FIRST)
    async for document in candidates:
        message, session = message_of_chunks(document), document["session"]
        if session not in turns:
            turns[session] = await _turn(db, owner, session, now)
        if document["turn"] < turns[session]:
            found.append(Found(message.session_id, message.id, excerpt(message.text, text)))
        if len(found) == limit:
            break
    return found


async def _turn(db: Collections, owner: str, session: ObjectId, now: float) -> int:
    there = {**place(owner), "_id": session, **alive(now)}
    found = await db.sessions.find_one(there, {"turn": 1})
    return 0 if found is None else int(found["turn"])
