"""The use cases of stored conversations, apart from answering in them (responses.py).

A session is shown along one path of its tree, from the root to its head; nothing is taken out of
the tree when the head moves. What belongs to another owner is as if it were not there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from frontend_api.domain.errors import Conflict, LimitReached, NotFound
from frontend_api.domain.messages import (
    RESPONSE_PREFIX,
    Item,
    Message,
    message_ids_of,
    new_message_id,
)
from frontend_api.domain.sessions import (
    Found,
    Session,
    SessionChanges,
    SessionPage,
    new_session_id,
)
from frontend_api.domain.tree import path_to
from frontend_api.ports import Clock, SessionStore
from frontend_api.service.session_upkeep import SessionUpkeep
from frontend_api.settings import LimitSettings

# A head older than this is not looked at to say whether it still runs.
_LONGEST_RUN_S: Final = 86_400.0
# More pieces than any answer has: a page of sessions must not read all that their heads say.
_WITHOUT_PIECES: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class SeenSession:
    """A session, and whether the answer at its head is still being made."""

    session: Session
    is_running: bool


class Answers(Protocol):
    """Who makes the answers in sessions."""

    def stop_session(self, owner: str, session_id: str) -> None:
        """Stop what this worker generates for it; nothing of it is saved."""
        ...

    async def remove_session(self, owner: str, session_id: str) -> None:
        """Remove a session whose making has failed, now or when the store is back."""
        ...


class Sessions:
    """Makes, shows, changes and deletes sessions and what is in them."""

    def __init__(
        self, store: SessionStore, clock: Clock, limits: LimitSettings, answers: Answers
    ) -> None:
        """Use these; `answers` is told of sessions that go."""
        self._store = store
        self._clock = clock
        self._max_sessions = limits.max_sessions
        self._upkeep = SessionUpkeep(store, clock, limits)
        self._answers = answers

    async def create(
        self, owner: str, items: Sequence[Item], metadata: Mapping[str, str]
    ) -> Session:
        """Begin a session with these items in it; raises LimitReached."""
        now = self._clock.now()
        empty = Session(
            id=new_session_id(), owner=owner, created_at=now, updated_at=now, metadata=metadata
        )
        session = self._upkeep.begun(empty, items)
        messages = _chain(session, items, now)
        return await self.store(session, messages, messages[-1].id if messages else None)

    async def store(
        self, session: Session, messages: Sequence[Message], head: str | None
    ) -> Session:
        """Make a session of a new id durable with its messages and this head; or nothing of it.

        Raises LimitReached; after StoreLost what is there is removed when the store is back.
        """
        self._upkeep.check_room(0, len(messages))
        try:
            await self._store.create_session(session, self._max_sessions)
            return await self._filled(session, messages, head)
        except LimitReached:
            raise
        except BaseException:
            await asyncio.shield(self._answers.remove_session(session.owner, session.id))
            raise

    async def _filled(
        self, session: Session, messages: Sequence[Message], head: str | None
    ) -> Session:
        if messages:
            session = await self._store.append(messages, session.head_version, session.updated_at)
        if session.head == head:
            return session
        return await self._store.move_head(session.owner, session.id, head, session.head_version)

    async def get(self, owner: str, session_id: str) -> Session:
        """Return the session; raises NotFound."""
        session = await self._store.session(owner, session_id, self._clock.now())
        if session is None:
            raise _no_session(session_id)
        return session

    async def page(
        self, owner: str, after: str | None, limit: int
    ) -> tuple[Sequence[SeenSession], bool]:
        """Return some sessions, pinned first, newest first, and whether there are more."""
        page = await self.plain_page(owner, after, limit)
        seen = await asyncio.gather(*(self.seen(session) for session in page.sessions))
        return seen, page.has_more

    async def plain_page(self, owner: str, after: str | None, limit: int) -> SessionPage:
        """Return some sessions as they are; raises NotFound when there is none to go on after."""
        now = self._clock.now()
        if after is not None and await self._store.session(owner, after, now) is None:
            raise NotFound(f"Conversation with id '{after}' not found.", param="after")
        return await self._store.sessions(owner, now, after=after, limit=limit)

    async def seen(self, session: Session) -> SeenSession:
        """Return the session with what is going on in it."""
        head, age_s = session.head or "", self._clock.now() - session.updated_at
        if not head.startswith(RESPONSE_PREFIX) or age_s > _LONGEST_RUN_S:
            return SeenSession(session, is_running=False)
        message = await self._store.message(session.owner, head, first=_WITHOUT_PIECES)
        run = None if message is None else message.run
        return SeenSession(session, is_running=run is not None and run.is_running)

    async def change(self, owner: str, session_id: str, changes: SessionChanges) -> Session:
        """Set what is given; raises NotFound."""
        await self.get(owner, session_id)
        lasting = replace(changes, expires_at=self.expires_at())
        session = await self._store.change_session(owner, session_id, lasting)
        if session is None:
            raise _no_session(session_id)
        return session

    async def delete(self, owner: str, session_id: str) -> None:
        """Delete it with all its messages, and stop what runs in it; raises NotFound."""
        await self.get(owner, session_id)
        is_there = await self._store.delete_session(owner, session_id)
        self._answers.stop_session(owner, session_id)
        if not is_there:
            raise _no_session(session_id)

    async def add(self, owner: str, session_id: str, items: Sequence[Item]) -> Sequence[Message]:
        """Add items after the head; raises NotFound, LimitReached, Conflict if the head moves."""
        session = await self.get(owner, session_id)
        self._upkeep.check_room(session.num_messages, len(items))
        now = self._clock.now()
        messages = _chain(session, items, now)
        await self._store.append(messages, session.head_version, now)
        await self._upkeep.used(session, items)
        return messages

    async def tree(self, owner: str, session_id: str) -> tuple[Session, Sequence[Message]]:
        """Return the session and all its messages, parents first; raises NotFound."""
        session = await self.get(owner, session_id)
        return session, await self._store.messages(owner, session_id)

    async def path(self, owner: str, session_id: str) -> tuple[Session, Sequence[Message]]:
        """Return the session and its messages in view; raises NotFound."""
        session, messages = await self.tree(owner, session_id)
        return session, path_to(messages, session.head)

    async def message_of(self, owner: str, session_id: str, item_id: str) -> Message:
        """Return the message that holds an item of the session; raises NotFound."""
        await self.get(owner, session_id)
        message = await self._holder(owner, item_id)
        if message is None or message.session_id != session_id:
            raise NotFound(
                f"Item with id '{item_id}' not found in conversation '{session_id}'.",
                param="item_id",
            )
        return message

    async def item(self, owner: str, item_id: str) -> Item:
        """Return an item by its id alone, from whichever session; raises NotFound."""
        message = await self._holder(owner, item_id)
        if message is None or not await self._store.session(
            owner, message.session_id, self._clock.now()
        ):
            raise NotFound(f"Item with id '{item_id}' not found.", param="id")
        return dict(message.items)[item_id]

    async def delete_item(self, owner: str, session_id: str, item_id: str) -> Session:
        """Take an item out of its message; raises NotFound.

        The content of a message that has no other is gone for good; an answer's text stays with
        its response.
        """
        message = await self.message_of(owner, session_id, item_id)
        if message.run is None and len(message.items) == 1:
            await self._store.delete_message(owner, message.id)
        else:
            number = message.number_of(item_id)
            await self._store.remove_items(owner, message.id, [number])
        return await self.get(owner, session_id)

    async def move_head(
        self, owner: str, session_id: str, message_id: str | None, seen: str | None = None
    ) -> Session:
        """Show the path to this message, None for nothing; raises NotFound and Conflict.

        seen: the head that the caller believes it moves; None when it does not care.
        """
        session = await self.get(owner, session_id)
        if seen is not None and session.head != seen:
            raise Conflict(f"The head of conversation '{session_id}' is '{session.head}' by now.")
        if message_id is not None:
            message = await self._store.message(owner, message_id)
            if message is None or message.session_id != session_id:
                raise NotFound(
                    f"Message with id '{message_id}' not found in conversation '{session_id}'.",
                    param="message_id",
                )
        return await self._store.move_head(owner, session_id, message_id, session.head_version)

    async def search(
        self, owner: str, text: str, limit: int
    ) -> Sequence[tuple[Session | None, Found]]:
        """Return messages that hold the text, the newest first, each with its session."""
        now = self._clock.now()
        found = await self._store.search(owner, text, now, limit=limit)
        ids = list(dict.fromkeys(each.session_id for each in found))
        sessions = await asyncio.gather(*(self._store.session(owner, id_, now) for id_ in ids))
        by_id = dict(zip(ids, sessions, strict=True))
        return [(by_id[each.session_id], each) for each in found]

    def expires_at(self) -> float | None:
        """Return when a session that is used now is over; None: never."""
        return self._upkeep.expires_at()

    async def _holder(self, owner: str, item_id: str) -> Message | None:
        for message_id in message_ids_of(item_id):
            message = await self._store.message(owner, message_id)
            if message is not None and item_id in dict(message.items):
                return message
        return None


def _chain(session: Session, items: Sequence[Item], now: float) -> Sequence[Message]:
    """Return a message for each item, one after the other, the first after the head."""
    messages: list[Message] = []
    parent_id = session.head
    for item in items:
        message = Message(
            id=new_message_id(),
            session_id=session.id,
            owner=session.owner,
            parent_id=parent_id,
            created_at=now,
            said=(item,),
        )
        messages.append(message)
        parent_id = message.id
    return messages


def _no_session(session_id: str) -> NotFound:
    return NotFound(f"Conversation with id '{session_id}' not found.", param="conversation_id")
