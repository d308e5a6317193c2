"""The use cases of copying conversations: forks in the store, documents out of it and into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from frontend_api.domain.drafts import Draft, draft_of, planted
from frontend_api.domain.errors import Conflict, LimitReached, NotFound, ServiceError, StoreLost
from frontend_api.domain.sessions import Session, new_session_id
from frontend_api.domain.tree import path_to
from frontend_api.ports import Clock
from frontend_api.service.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of an import: the new sessions, and why others were not taken, by number."""

    sessions: Sequence[Session]
    refused: Sequence[tuple[int, ServiceError]]


class Copies:
    """Forks, exports and imports sessions."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        """Use these."""
        self._sessions = sessions
        self._clock = clock

    async def fork(self, owner: str, session_id: str, message_id: str | None) -> Session:
        """Return a new session that holds the path to this message, None for the one in view.

        Raises NotFound, LimitReached, and Conflict when an answer on the path is still made.
        """
        session, messages = await self._sessions.tree(owner, session_id)
        leaf = session.head if message_id is None else message_id
        path = path_to(messages, leaf)
        if message_id is not None and not path:
            raise NotFound(
                f"Message with id '{message_id}' not found in conversation '{session_id}'.",
                param="message_id",
            )
        for message in path:
            if message.run is not None and message.run.is_running:
                raise Conflict(f"Response '{message.id}' is still in progress.")
        now = self._clock.now()
        draft = draft_of(replace(session, head=leaf), path)
        fresh = replace(draft, created_at=now, updated_at=now, is_pinned=False)
        return await self._plant(fresh, owner)

    async def export(self, owner: str, session_id: str) -> Draft:
        """Return the whole session; raises NotFound."""
        return draft_of(*await self._sessions.tree(owner, session_id))

    async def take_in(self, owner: str, drafts: Sequence[Draft]) -> Imported:
        """Store these as new sessions; raises the first error only when none could be stored.

        When the store is lost in the middle, all that follow are refused.
        """
        sessions: list[Session] = []
        refused: list[tuple[int, ServiceError]] = []
        lost: StoreLost | None = None
        for number, draft in enumerate(drafts):
            try:
                if lost is not None:
                    raise lost
                sessions.append(await self._plant(draft, owner))
            except (LimitReached, StoreLost) as error:
                refused.append((number, error))
                lost = error if isinstance(error, StoreLost) else lost
        if not sessions and refused:
            raise refused[0][1]
        return Imported(sessions, refused)

    async def _plant(self, draft: Draft, owner: str) -> Session:
        session = Session(
            id=new_session_id(),
            owner=owner,
            created_at=draft.created_at,
            updated_at=draft.updated_at,
            title=draft.title,
            title_source=draft.title_source,
            is_pinned=draft.is_pinned,
            metadata=draft.metadata,
            expires_at=self._sessions.expires_at(),
        )
        messages = planted(draft, owner, session.id)
        head = None if draft.head is None else messages[draft.head].id
        return await self._sessions.store(session, messages, head)
