"""Writes a new turn into the store: what was said, and the place for what the model will say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from frontend_api.domain.errors import Conflict
from frontend_api.domain.messages import (
    Item,
    Message,
    Run,
    new_message_id,
    new_response_id,
)
from frontend_api.domain.sessions import Session
from frontend_api.ports import Clock, SessionStore
from frontend_api.service.orders import Order
from frontend_api.service.places import Place, Places
from frontend_api.service.session_upkeep import SessionUpkeep
from frontend_api.settings import LimitSettings
from frontend_api.telemetry.tracing import current_span, spanned

# Turns that follow the same message at the same moment; each moves the head once.
_MAX_RIVALS: Final = 16


class Turns:
    """Makes the messages of a turn and stores them in one step."""

    def __init__(
        self, store: SessionStore, places: Places, clock: Clock, limits: LimitSettings
    ) -> None:
        """Use these."""
        self._store = store
        self._places = places
        self._clock = clock
        self._max_sessions = limits.max_sessions
        self._upkeep = SessionUpkeep(store, clock, limits)

    def check(self, order: Order, place: Place) -> None:
        """Refuse a turn for which the session has no room; raises LimitReached."""
        self._upkeep.check_room(place.session.num_messages, len(order.items) + 1)

    def messages(self, order: Order, place: Place, run: Run) -> Sequence[Message]:
        """Return a message for each new item, and the response's placeholder as the last."""
        now = self._clock.now()
        parent_id, made = place.parent_id, []
        for item in order.items:
            said = _message(place.session, new_message_id(), parent_id, now)
            made.append(replace(said, said=(item,)))
            parent_id = said.id
        response = _message(place.session, new_response_id(), parent_id, now)
        return [*made, replace(response, run=run)]

    async def store(self, place: Place, messages: Sequence[Message]) -> None:
        """Make them durable with their session, in one step, or none of them.

        Raises a ServiceError; after StoreLost nobody knows what is there.
        """
        items = [item for message in messages for item in message.said]
        with spanned(current_span().child("save turn")):
            if place.is_new:
                await self._store_with_session(place, messages, items)
                return
            await self._append(place, messages)
            await self._upkeep.used(place.session, items)

    async def _store_with_session(
        self, place: Place, messages: Sequence[Message], items: Sequence[Item]
    ) -> None:
        session = self._upkeep.begun(place.session, items)
        await self._store.create_session(session, self._max_sessions)
        await self._store.append(messages, session.head_version, self._clock.now())

    async def _append(self, place: Place, messages: Sequence[Message]) -> None:
        for _ in range(_MAX_RIVALS):
            try:
                await self._store.append(messages, place.session.head_version, self._clock.now())
            except Conflict:
                again = await self._places.find_again(place) if place.is_chosen else None
                if again is None:
                    raise
                place = again
            else:
                return
        raise Conflict("Too many turns follow this message at once. Try again.")


def _message(session: Session, message_id: str, parent_id: str | None, now: float) -> Message:
    return Message(
        id=message_id,
        session_id=session.id,
        owner=session.owner,
        parent_id=parent_id,
        created_at=now,
    )
