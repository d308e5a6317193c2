"""Writes a new turn into the store: what was said, and the place for what the model will say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from frontend_api.domain.errors import Conflict, LimitReached, NotFound
from frontend_api.domain.messages import (
    Item,
    Message,
    Run,
    new_message_id,
    new_response_id,
)
from frontend_api.domain.sessions import Session, SessionChanges
from frontend_api.domain.titles import title_of
from frontend_api.ports import Clock, SessionStore
from frontend_api.service.orders import Order
from frontend_api.service.places import Place, Places
from frontend_api.settings import LimitSettings

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
        self._limits = limits

    def check(self, order: Order, place: Place) -> None:
        """Refuse a turn for which the session has no room; raises LimitReached."""
        limit = self._limits.max_messages_per_session
        if limit and place.session.num_messages + len(order.items) + 1 > limit:
            raise LimitReached(
                f"A conversation may hold at most {limit} messages. Begin a new one.",
                code="session_full",
            )

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
        if place.is_new:
            await self._store_with_session(place, messages, items)
            return
        await self._change(place.session, items)
        await self._append(place, messages)

    async def _store_with_session(
        self, place: Place, messages: Sequence[Message], items: Sequence[Item]
    ) -> None:
        title = title_of(items)
        session = replace(
            place.session,
            title=title,
            title_source="words" if title else "none",
            expires_at=self._expires_at(),
        )
        await self._store.create_session(session, self._limits.max_sessions)
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

    async def _change(self, session: Session, items: Sequence[Item]) -> None:
        """Name a session that has no name yet, and let it live on."""
        title = title_of(items) if session.title_source == "none" else ""
        expires_at = self._expires_at()
        if not title and expires_at is None:
            return
        changes = SessionChanges(
            title=title or None, title_source="words" if title else None, expires_at=expires_at
        )
        if await self._store.change_session(session.owner, session.id, changes) is None:
            raise NotFound(f"Conversation with id '{session.id}' not found.")

    def _expires_at(self) -> float | None:
        ttl_s = self._limits.session_ttl_seconds
        return self._clock.now() + ttl_s if ttl_s else None


def _message(session: Session, message_id: str, parent_id: str | None, now: float) -> Message:
    return Message(
        id=message_id,
        session_id=session.id,
        owner=session.owner,
        parent_id=parent_id,
        created_at=now,
    )
