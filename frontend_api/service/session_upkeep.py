"""What every use of a session sees to: room for more, a first title, a longer life."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from frontend_api.domain.errors import LimitReached, StoreLost
from frontend_api.domain.messages import Item
from frontend_api.domain.sessions import Session, SessionChanges
from frontend_api.domain.titles import title_of
from frontend_api.ports import Clock, SessionStore
from frontend_api.settings import LimitSettings


class SessionUpkeep:
    """Looks after sessions while something is put into them."""

    def __init__(self, store: SessionStore, clock: Clock, limits: LimitSettings) -> None:
        """Use these."""
        self._store = store
        self._clock = clock
        self._limits = limits

    def check_room(self, num_there: int, num_new: int) -> None:
        """Refuse more messages than a session may hold; raises LimitReached."""
        limit = self._limits.max_messages_per_session
        if limit and num_there + num_new > limit:
            raise LimitReached(
                f"A conversation may hold at most {limit} messages. Begin a new one.",
                code="session_full",
            )

    def expires_at(self) -> float | None:
        """Return when a session that is used now is over; None: never."""
        ttl_s = self._limits.session_ttl_seconds
        return self._clock.now() + ttl_s if ttl_s else None

    def begun(self, session: Session, items: Sequence[Item]) -> Session:
        """Return a new session with the title and the life that these items give it."""
        title = title_of(items)
        return replace(
            session,
            title=title,
            title_source="words" if title else "none",
            expires_at=self.expires_at(),
        )

    async def used(self, session: Session, items: Sequence[Item]) -> None:
        """Name the session if nobody has yet, and let it live on; the items are in it already."""
        title = title_of(items) if session.title_source == "none" else ""
        named = SessionChanges(title=title, title_source="words", seen_title_source="none")
        prolonged = SessionChanges(expires_at=self.expires_at())
        # An error now would make the client send the items a second time.
        with contextlib.suppress(StoreLost):
            if title:
                await self._store.change_session(session.owner, session.id, named)
            if prolonged.expires_at is not None:
                await self._store.change_session(session.owner, session.id, prolonged)
