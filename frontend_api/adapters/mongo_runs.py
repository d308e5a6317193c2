"""Running messages in MongoDB; each function works with the collections it is given.

`leased_until` repeats the lease of what runs, and is absent from everything else: its index is as
small as the number of runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pymongo import ReturnDocument

from frontend_api.adapters.mongo_driver import Collections
from frontend_api.adapters.mongo_messages import chunk_of, joined_text, message_of_chunks
from frontend_api.adapters.mongo_sessions import Batch, place
from frontend_api.adapters.session_documents import (
    Document,
    ending_document,
    folded,
    interruption,
)
from frontend_api.domain.answer_pieces import Piece
from frontend_api.domain.errors import Conflict
from frontend_api.domain.messages import INTERRUPTED, RUNNING, Ending
from frontend_api.domain.stored import Checkpoint, RunState

# Runs ended in one call, which has a time-out.
EXPIRED_AT_ONCE: Final = 20
# An interrupted run goes on when its worker was only slow.
_OPEN: Final = {"$or": [{"run.ending": None}, {"run.ending.reason": INTERRUPTED}]}
_RUNS: Final = {"run.status": {"$in": sorted(RUNNING)}}


async def save(db: Collections, checkpoint: Checkpoint) -> RunState | None:
    """Add what is new and renew the lease; None when the worker has no such run."""
    own = _own(checkpoint)
    told = {"num_pieces": 1, "run.ending": 1, "run.is_cancel_requested": 1}
    # As it is nearly always: the pieces go on where the stored ones end.
    expected = {"num_pieces": checkpoint.first, "run.ending": None}
    while True:  # ends: a second round means that another call has written in between
        update = _extension(checkpoint, expected)
        saved = await db.messages.find_one_and_update(
            {**own, **expected}, update, projection=told, return_document=ReturnDocument.AFTER
        )
        state = saved or await db.messages.find_one(own, told)
        if state is None:
            return None
        if saved or _has_ended(state):
            return RunState(state["num_pieces"], state["run"]["is_cancel_requested"])
        expected = {"num_pieces": state["num_pieces"], "run.ending": state["run"]["ending"]}


async def finish(db: Collections, checkpoint: Checkpoint, ending: Ending) -> bool:
    """Add the last pieces and the ending; raises Conflict when pieces before them are missing."""
    own = _own(checkpoint)
    while True:  # ends as `save` does
        found = await db.messages.find_one(own)
        if found is None:
            return False
        if _has_ended(found):
            return True
        if found["num_pieces"] < checkpoint.first:
            raise Conflict(f"Pieces of '{checkpoint.message_id}' before these are missing.")
        if await _end(db, found, _new(checkpoint, found["num_pieces"]), ending):
            return True


async def request_cancel(db: Collections, owner: str, message_id: str) -> bool:
    """Leave word for the worker that runs it; False unless it runs."""
    running = {**place(owner, id=message_id), **_RUNS}
    told = await db.messages.update_one(running, {"$set": {"run.is_cancel_requested": True}})
    return told.matched_count > 0


async def expire_leases(db: Collections, now: float) -> Batch:
    """End some of the runs whose lease is over."""
    over = db.messages.find({"leased_until": {"$lte": now}}).limit(EXPIRED_AT_ONCE)
    found = await over.to_list(None)
    ended = [await _end(db, run, (), interruption(now)) for run in found]
    return Batch(sum(ended), has_more=len(found) == EXPIRED_AT_ONCE)


def _own(checkpoint: Checkpoint) -> Document:
    worker = {"run.worker": {"$eq": checkpoint.worker}}
    return {**place(checkpoint.owner, id=checkpoint.message_id), **worker}


def _has_ended(document: Document) -> bool:
    ending = document["run"]["ending"]
    return ending is not None and ending["reason"] != INTERRUPTED


def _new(checkpoint: Checkpoint, num_stored: int) -> Sequence[Piece]:
    """Return the pieces that are not stored yet, none where that would leave a gap."""
    is_gap = num_stored < checkpoint.first
    return () if is_gap else checkpoint.pieces[num_stored - checkpoint.first :]


def _extension(checkpoint: Checkpoint, expected: Document) -> Document:
    num_stored: int = expected["num_pieces"]
    new = _new(checkpoint, num_stored)
    leased = {"run.lease_until": checkpoint.lease_until, "leased_until": checkpoint.lease_until}
    is_queued = expected["run.ending"] is None and num_stored + len(new) == 0
    status = {} if is_queued else {"run.status": "in_progress"}
    return {
        "$max": leased,
        "$set": {"run.ending": None, "folded": "", "joined": None, **status},
        **_addition(new, num_stored),
    }


def _addition(new: Sequence[Piece], first: int) -> Document:
    if not new:
        return {}
    return {"$push": {"chunks": chunk_of(new, first)}, "$inc": {"num_pieces": len(new)}}


async def _end(db: Collections, found: Document, new: Sequence[Piece], ending: Ending) -> bool:
    """End it, unless it has changed since it was found."""
    # In a thread, so that other streams go on while a long answer is put together.
    texts = await asyncio.to_thread(_texts, found, new, ending)
    as_found = {
        "_id": found["_id"],
        "num_pieces": found["num_pieces"],
        "leased_until": found.get("leased_until"),
        "removed": found["removed"],
        **_OPEN,
    }
    over = {"run.status": ending.status, "run.ending": ending_document(ending)}
    addition = _addition(new, found["num_pieces"])
    update = {"$set": {**over, **texts}, "$unset": {"leased_until": ""}, **addition}
    return (await db.messages.update_one(as_found, update)).matched_count > 0


def _texts(found: Document, new: Sequence[Piece], ending: Ending) -> Document:
    """Return what is kept of all that an ended run has said."""
    message = message_of_chunks(found)
    if message.run is None:
        return {}
    pieces = message.run.pieces + tuple(new)
    run = replace(message.run, status=ending.status, ending=ending, pieces=pieces)
    ended = replace(message, run=run)
    return {"folded": folded(ended), "joined": joined_text(ended)}
