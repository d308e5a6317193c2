"""A conversation without its place: no owner, no ids; what an export holds and a copy begins as.

Messages are numbered by their place, parents come before their children. An answer brings its
run along, with the pieces of the items that are left in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from frontend_api.domain.answer_pieces import (
    CallArguments,
    CallStarted,
    Content,
    Piece,
    Reasoning,
)
from frontend_api.domain.messages import (
    INTERRUPTED,
    Called,
    Ending,
    Item,
    Message,
    Run,
    Said,
    Thought,
    items_of,
    new_message_id,
    new_response_id,
)
from frontend_api.domain.sessions import Session, TitleSource


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftMessage:
    """One message; `parent` is the number of the one it follows, None for a first one."""

    parent: int | None
    created_at: float
    said: tuple[Item, ...] = ()
    run: Run | None = None
    is_deleted: bool = False

    @property
    def items(self) -> Sequence[Item]:
        """What it says."""
        return self.said if self.run is None else items_of(self.run.pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A conversation with all its branches; `head` is the number of the message in view."""

    created_at: float
    updated_at: float
    messages: tuple[DraftMessage, ...]
    head: int | None
    title: str = ""
    title_source: TitleSource = "none"
    is_pinned: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)


def draft_of(session: Session, messages: Sequence[Message]) -> Draft:
    """Return the session as a draft; messages: all of it or one path, parents first."""
    numbers = {message.id: number for number, message in enumerate(messages)}
    return Draft(
        created_at=session.created_at,
        updated_at=session.updated_at,
        messages=tuple(_drafted(message, numbers) for message in messages),
        head=numbers.get(session.head or ""),
        title=session.title,
        title_source=session.title_source,
        is_pinned=session.is_pinned,
        metadata=session.metadata,
    )


def planted(draft: Draft, owner: str, session_id: str) -> Sequence[Message]:
    """Return the draft's messages as those of a session, with ids of their own."""
    ids = [new_message_id() if each.run is None else new_response_id() for each in draft.messages]
    return [
        Message(
            id=ids[number],
            session_id=session_id,
            owner=owner,
            parent_id=None if each.parent is None else ids[each.parent],
            created_at=each.created_at,
            said=each.said,
            run=None if each.run is None else _ended(each.run, each.created_at),
            is_deleted=each.is_deleted,
        )
        for number, each in enumerate(draft.messages)
    ]


def pieces_of(items: Iterable[Item]) -> tuple[Piece, ...]:
    """Return what a model would have streamed to say these items."""
    return tuple(piece for number, item in enumerate(items) for piece in _pieces(number, item))


def _pieces(number: int, item: Item) -> Iterator[Piece]:
    match item:
        case Thought(text) if text:
            yield Reasoning(text)
        case Said(_, text) if text:
            yield Content(text)
        case Called(call_id, name, arguments):
            yield CallStarted(number, call_id, name)
            if arguments:
                yield CallArguments(number, arguments)
        case _:
            pass


def _drafted(message: Message, numbers: Mapping[str, int]) -> DraftMessage:
    items = tuple(item for _, item in message.items)
    run = message.run
    if run is not None and (message.removed or message.is_deleted):
        # What a client has removed must not come back.
        run = replace(run, pieces=pieces_of(items))
    return DraftMessage(
        parent=numbers.get(message.parent_id or ""),
        created_at=message.created_at,
        said=() if run else items,
        run=run,
        is_deleted=message.is_deleted,
    )


def _ended(run: Run, created_at: float) -> Run:
    """A copy is nobody's work: what still ran was interrupted, as far as the copy goes."""
    ending = run.ending or Ending(status="incomplete", completed_at=created_at, reason=INTERRUPTED)
    return replace(
        run,
        status=ending.status,
        ending=ending,
        worker="",
        lease_until=0.0,
        is_background=False,
        is_cancel_requested=False,
    )
