"""A session as the original service shows it: what was said, the system's word first.

Only the last turns are in view, as it kept no more than those; here they are still in the store.
Rolling back moves the head to before what is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from frontend_api.domain.errors import NotFound
from frontend_api.domain.messages import Message, Role, Said
from frontend_api.service.sessions import Sessions

# What the original keeps of a session beside the system's word.
MAX_TURNS: Final = 20
_PAGE: Final = 100
_SYSTEM: Final = frozenset({"system", "developer"})


@dataclass(frozen=True, slots=True)
class Turn:
    """What one message said; `before` is the message it follows."""

    role: Role
    text: str
    before: str | None

    @property
    def is_system(self) -> bool:
        """Whether it is the system's word, which is always kept."""
        return self.role in _SYSTEM


class Histories:
    """Lists sessions, shows them and rolls them back."""

    def __init__(self, sessions: Sessions) -> None:
        """Use the sessions."""
        self._sessions = sessions

    async def ids(self, owner: str) -> Sequence[str]:
        """Return the ids of all sessions of the owner."""
        ids: list[str] = []
        has_more = True
        while has_more:
            try:
                page = await self._sessions.plain_page(owner, ids[-1] if ids else None, _PAGE)
            except NotFound:
                # It was deleted since the last page: go on after the one before it.
                ids.pop()
                continue
            ids += [session.id for session in page.sessions]
            has_more = page.has_more
        # One that was used meanwhile has another place by now.
        return list(dict.fromkeys(ids))

    async def turns(self, owner: str, session_id: str) -> Sequence[Turn]:
        """Return the turns in view; raises NotFound."""
        _, path = await self._sessions.path(owner, session_id)
        turns = _turns_of(path)
        said = [turn for turn in turns if not turn.is_system]
        return [*(turn for turn in turns if turn.is_system), *said[-MAX_TURNS:]]

    async def roll_back(self, owner: str, session_id: str, amount: int) -> None:
        """Drop the last turns from view; raises NotFound, and Conflict if the head moves."""
        session, path = await self._sessions.path(owner, session_id)
        said = [turn for turn in _turns_of(path) if not turn.is_system]
        dropped = said[max(0, len(said) - amount) :] if amount else ()
        if dropped:
            await self._sessions.move_head(owner, session_id, dropped[0].before, session.head)


def _turns_of(path: Sequence[Message]) -> Sequence[Turn]:
    """Return a turn for each message that said something to be read."""
    turns: list[Turn] = []
    for message in path:
        said = [item for _, item in message.items if isinstance(item, Said)]
        if said:
            text = "".join(item.text for item in said)
            turns.append(Turn(said[0].role, text, message.parent_id))
    return turns
