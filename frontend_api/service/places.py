"""Where in which session a new turn goes, and what was said before it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from frontend_api.domain.errors import Conflict, NotFound
from frontend_api.domain.messages import Message, Run
from frontend_api.domain.sessions import Session, new_session_id
from frontend_api.domain.tree import path_to
from frontend_api.ports import Clock, SessionStore
from frontend_api.service.orders import Order


@dataclass(frozen=True, slots=True)
class Place:
    """A point in a session's tree.

    is_new: the session is not in the store yet. is_chosen: the client named the parent, so it
    does not matter where the head of the session is meanwhile.
    """

    session: Session
    path: Sequence[Message] = ()
    is_new: bool = False
    is_chosen: bool = False

    @property
    def parent_id(self) -> str | None:
        """The message that the turn follows; None makes it a root."""
        return self.path[-1].id if self.path else None


class Places:
    """Finds the place of an order."""

    def __init__(
        self, store: SessionStore, clock: Clock, end_dead: Callable[[], Awaitable[None]]
    ) -> None:
        """Look in this store; `end_dead` marks the runs whose worker has died."""
        self._store = store
        self._clock = clock
        self._end_dead = end_dead

    async def find(self, order: Order) -> Place:
        """Return the place; raises NotFound, Conflict if its parent still runs, StoreLost.

        A parent whose worker seems to have died is marked as interrupted first.
        """
        place = await self._find(order)
        if (run := _running_parent(place)) and run.lease_until <= self._clock.now():
            await self._end_dead()
            place = await self._find(order)
        if _running_parent(place):
            raise Conflict(
                f"Response '{place.parent_id}' is still in progress."
                " Wait for it or cancel it first."
            )
        return place

    async def find_again(self, place: Place) -> Place | None:
        """Return a chosen place with its session as it is now; None when it is gone."""
        session = await self._session(place.session.owner, place.session.id)
        if session is None:
            return None
        return Place(session, place.path, is_chosen=True)

    async def _find(self, order: Order) -> Place:
        if order.previous_id is not None:
            return await self._after_response(order.owner, order.previous_id)
        if order.session_id is not None:
            return await self._in_session(order, order.session_id)
        if order.has_parent and order.parent_id is not None:
            return await self._after_message(order.owner, order.parent_id)
        return self._new(order.owner, new_session_id())

    async def _after_response(self, owner: str, response_id: str) -> Place:
        message = await self._store.message(owner, response_id)
        session = None
        if message is not None and message.run is not None and not message.is_deleted:
            session = await self._session(owner, message.session_id)
        if session is None:
            raise NotFound(
                f"Previous response with id '{response_id}' not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        return await self._after(session, response_id, is_chosen=True)

    async def _after_message(self, owner: str, message_id: str) -> Place:
        message = await self._store.message(owner, message_id)
        session = None if message is None else await self._session(owner, message.session_id)
        if session is None:
            raise _no_message(message_id)
        return await self._after(session, message_id, is_chosen=True)

    async def _in_session(self, order: Order, session_id: str) -> Place:
        session = await self._session(order.owner, session_id)
        if session is None:
            if order.creates_session and order.parent_id is None:
                return self._new(order.owner, session_id)
            raise NotFound(f"Conversation with id '{session_id}' not found.", param="conversation")
        if order.has_parent:
            return await self._after(session, order.parent_id, is_chosen=True)
        return await self._after(session, session.head, is_chosen=False)

    async def _after(self, session: Session, parent_id: str | None, *, is_chosen: bool) -> Place:
        if parent_id is None:
            return Place(session, is_chosen=is_chosen)
        path = path_to(await self._store.messages(session.owner, session.id), parent_id)
        if not path:
            raise _no_message(parent_id)
        return Place(session, path, is_chosen=is_chosen)

    async def _session(self, owner: str, session_id: str) -> Session | None:
        return await self._store.session(owner, session_id, self._clock.now())

    def _new(self, owner: str, session_id: str) -> Place:
        now = self._clock.now()
        session = Session(id=session_id, owner=owner, created_at=now, updated_at=now)
        return Place(session, is_new=True)


def _running_parent(place: Place) -> Run | None:
    run = place.path[-1].run if place.path else None
    return run if run is not None and run.is_running else None


def _no_message(message_id: str) -> NotFound:
    return NotFound(f"Message with id '{message_id}' not found.", param="x_conch.parent_id")
