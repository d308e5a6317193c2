"""Sessions, messages and runs as plain documents: what both databases keep.

A document holds dict, list, str, int, float, bool and None. Its keys are names of ours and never
a client's text (metadata is a list of pairs), so that none can be taken for an operator or a
path. Lone surrogates, which no database holds, become U+FFFD. A change here that an older
version could not read needs a step in the migrations of both adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from frontend_api.domain.answer_pieces import (
    CallArguments,
    CallsEnded,
    CallStarted,
    Content,
    Piece,
    Reasoning,
    merged,
)
from frontend_api.domain.generation import Timing, Usage
from frontend_api.domain.messages import (
    INTERRUPTED,
    Called,
    Ending,
    Item,
    Message,
    Returned,
    Run,
    Said,
    Thought,
)
from frontend_api.domain.sessions import Session, SessionChanges

Document = dict[str, Any]
# A piece or an item as a list: the letter of its kind, then its fields in order.
Record = list[str | int]

_PIECES: Final[Mapping[str, Callable[..., Piece]]] = {
    "r": Reasoning,
    "c": Content,
    "s": CallStarted,
    "a": CallArguments,
    "e": CallsEnded,
}
_ITEMS: Final[Mapping[str, Callable[..., Item]]] = {
    "said": Said,
    "thought": Thought,
    "called": Called,
    "returned": Returned,
}
_LETTERS: Final = {kind: letter for letter, kind in _PIECES.items()}
_WORDS: Final = {kind: word for word, kind in _ITEMS.items()}


def storable(text: str) -> str:
    """Return the text with its lone surrogates replaced."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def session_document(session: Session) -> Document:
    """Return everything about a session."""
    return {
        "id": session.id,
        "owner": session.owner,
        "created_at": session.created_at,
        "updated_at": session.updated_at,
        "title": storable(session.title),
        "title_source": session.title_source,
        "is_pinned": session.is_pinned,
        "metadata": _pairs(session.metadata),
        "head": session.head,
        "head_version": session.head_version,
        "num_messages": session.num_messages,
        "expires_at": session.expires_at,
    }


def session_of(document: Mapping[str, Any]) -> Session:
    """Return the session; keys that are not of the document above are ignored."""
    known = {name: document[name] for name in Session.__dataclass_fields__}
    return Session(**{**known, "metadata": dict(known["metadata"])})


def changes_document(changes: SessionChanges) -> Document:
    """Return what to set, without what stays as it is."""
    given = {
        "title": None if changes.title is None else storable(changes.title),
        "title_source": changes.title_source,
        "is_pinned": changes.is_pinned,
        "metadata": None if changes.metadata is None else _pairs(changes.metadata),
        "updated_at": changes.updated_at,
        "expires_at": changes.expires_at,
    }
    return {name: value for name, value in given.items() if value is not None}


def _pairs(metadata: Mapping[str, str]) -> list[list[str]]:
    return [[storable(key), storable(value)] for key, value in metadata.items()]


def message_document(message: Message) -> Document:
    """Return everything about a message; `folded` is what is searched, "" while it runs."""
    return {
        "id": message.id,
        "session_id": message.session_id,
        "owner": message.owner,
        "parent_id": message.parent_id,
        "created_at": message.created_at,
        "said": items_document(message.said),
        "run": None if message.run is None else run_document(message.run),
        "removed": sorted(message.removed),
        "is_deleted": message.is_deleted,
        "folded": folded(message),
    }


def message_of(document: Mapping[str, Any]) -> Message:
    """Return the message, with its run."""
    return Message(
        id=document["id"],
        session_id=document["session_id"],
        owner=document["owner"],
        parent_id=document["parent_id"],
        created_at=document["created_at"],
        said=items_of_document(document["said"]),
        run=None if document["run"] is None else run_of(document["run"]),
        removed=frozenset(document["removed"]),
        is_deleted=bool(document["is_deleted"]),
    )


def run_document(run: Run) -> Document:
    """Return everything about a run."""
    return {
        "model": storable(run.model),
        "status": run.status,
        "worker": run.worker,
        "lease_until": run.lease_until,
        "settings": storable(run.settings),
        "pieces": pieces_document(run.pieces),
        "ending": None if run.ending is None else ending_document(run.ending),
        "is_background": run.is_background,
        "is_cancel_requested": run.is_cancel_requested,
        "num_dropped": run.num_dropped,
    }


def run_of(document: Mapping[str, Any]) -> Run:
    """Return the run, with its pieces."""
    ending = document["ending"]
    return Run(
        model=document["model"],
        status=document["status"],
        worker=document["worker"],
        lease_until=document["lease_until"],
        settings=document["settings"],
        pieces=pieces_of(document["pieces"]),
        ending=None if ending is None else ending_of(ending),
        is_background=bool(document["is_background"]),
        is_cancel_requested=bool(document["is_cancel_requested"]),
        num_dropped=document["num_dropped"],
    )


def pieces_document(pieces: Iterable[Piece]) -> list[Record]:
    """Return the pieces, each as a list."""
    return [_record(_LETTERS[type(piece)], piece) for piece in pieces]


def pieces_of(records: Iterable[Sequence[Any]]) -> tuple[Piece, ...]:
    """Return the pieces of such lists."""
    return tuple(_PIECES[letter](*fields) for letter, *fields in records)


def items_document(items: Iterable[Item]) -> list[Record]:
    """Return the items, each as a list."""
    return [_record(_WORDS[type(item)], item) for item in items]


def items_of_document(records: Iterable[Sequence[Any]]) -> tuple[Item, ...]:
    """Return the items of such lists."""
    return tuple(_ITEMS[word](*fields) for word, *fields in records)


def _record(kind: str, value: Piece | Item) -> Record:
    fields = (getattr(value, name) for name in value.__dataclass_fields__)
    return [kind, *(storable(field) if isinstance(field, str) else field for field in fields)]


def ending_document(ending: Ending) -> Document:
    """Return everything about how a run ended."""
    document = asdict(ending)
    if ending.error_message is not None:
        document["error_message"] = storable(ending.error_message)
    return document


def ending_of(document: Mapping[str, Any]) -> Ending:
    """Return how a run ended."""
    usage, timing = document["usage"], document["timing"]
    return Ending(
        **{
            **document,
            "usage": None if usage is None else Usage(**usage),
            "timing": None if timing is None else Timing(**timing),
        }
    )


def interruption(now: float) -> Ending:
    """Return the ending of a run whose worker was silent for longer than its lease."""
    return Ending(status="incomplete", completed_at=now, reason=INTERRUPTED)


def emptied(message: Message) -> Message:
    """Return the message as it is kept after its deletion: a place in the tree."""
    return replace(message, said=(), run=None, removed=frozenset(), is_deleted=True)


def folded(message: Message) -> str:
    """Return the text to search in, whatever its case; a running message has none yet."""
    is_running = message.run is not None and message.run.is_running
    return "" if is_running else storable(message.text).casefold()


def joined(message: Message) -> list[Record] | None:
    """Return the pieces of an ended run, neighbours joined; None while more may come."""
    if message.run is None or message.run.is_running:
        return None
    return pieces_document(merged(message.run.pieces))


def parents_first(messages: Sequence[Message]) -> Sequence[Message]:
    """Return the messages in the order given, but none before its parent."""
    waiting: dict[str | None, list[Message]] = {}
    unplaced = {message.id for message in messages}
    placed: list[Message] = []
    for message in messages:
        if message.parent_id in unplaced:
            waiting.setdefault(message.parent_id, []).append(message)
            continue
        ready = [message]
        while ready:
            placed.append(ready.pop(0))
            unplaced.discard(placed[-1].id)
            ready += waiting.pop(placed[-1].id, ())
    return placed
