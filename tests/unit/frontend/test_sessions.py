"""The use cases of stored conversations, on a store in memory."""

from dataclasses import dataclass

import pytest

from frontend_api.adapters.sqlite import SqliteStore
from frontend_api.adapters.sqlite_connection import MEMORY
from frontend_api.domain.answer_pieces import Content
from frontend_api.domain.drafts import Draft, DraftMessage
from frontend_api.domain.errors import StoreLost
from frontend_api.domain.messages import Ending, Message, Run, Said
from frontend_api.domain.sessions import Session, SessionChanges, SessionPage
from frontend_api.ports import Store
from frontend_api.service.copies import Copies
from frontend_api.service.histories import Histories
from frontend_api.service.sessions import Sessions
from frontend_api.settings import LimitSettings
from tests.unit.frontend.answering import shaky
from tests.web.fakes import FixedClock

OWNER = "alice"


class _LosingStore(SqliteStore):
    """Is lost whenever a session is to be changed."""

    async def change_session(
        self, owner: str, session_id: str, changes: SessionChanges
    ) -> Session | None:
        raise StoreLost("The database does not answer.")


def sessions_of(store: Store) -> Sessions:
    """Return the use cases; nothing is answered, and what cannot be made is removed at once."""
    return Sessions(store, FixedClock(), LimitSettings(), _NoAnswers(store))


@dataclass(frozen=True)
class _NoAnswers:
    store: Store

    def stop_session(self, owner: str, session_id: str) -> None:
        pass

    async def remove_session(self, owner: str, session_id: str) -> None:
        await self.store.delete_session(owner, session_id)


class _CountingStore(SqliteStore):
    """Counts the pieces that are read."""

    num_read = 0

    async def message(self, owner: str, message_id: str, *, first: int = 0) -> Message | None:
        found = await super().message(owner, message_id, first=first)
        if found is not None and found.run is not None:
            self.num_read += len(found.run.pieces)
        return found


async def test_a_list_of_sessions_reads_nothing_of_what_their_answers_say() -> None:
    now = FixedClock().now()
    run = Run(
        model="demo",
        status="completed",
        worker="w",
        lease_until=now,
        pieces=(Content("a"), Content("b")),
        ending=Ending(status="completed", completed_at=now),
    )
    answer = Message(
        id="resp_1", session_id="s", owner=OWNER, parent_id=None, created_at=now, run=run
    )
    store = _CountingStore(MEMORY)
    sessions = sessions_of(store)
    async with store.running():
        session = Session(id="s", owner=OWNER, created_at=now, updated_at=now)
        await sessions.store(session, [answer], "resp_1")

        seen, _ = await sessions.page(OWNER, None, 10)

    assert [(each.session.head, each.is_running) for each in seen] == [("resp_1", False)]
    assert store.num_read == 0


async def test_items_that_were_added_are_answered_though_their_session_gets_no_title() -> None:
    store = _LosingStore(MEMORY)
    sessions = sessions_of(store)
    async with store.running():
        session = await sessions.create(OWNER, [], {})

        added = await sessions.add(OWNER, session.id, [Said("user", "Where is the sea?")])
        _, there = await sessions.tree(OWNER, session.id)

    assert [message.id for message in there] == [message.id for message in added]


class _VanishingStore(SqliteStore):
    """Loses a session after the first page of a list."""

    vanishing = ""

    async def sessions(
        self, owner: str, now: float, *, after: str | None, limit: int
    ) -> SessionPage:
        page = await super().sessions(owner, now, after=after, limit=limit)
        if after is None:
            self.vanishing = page.sessions[-1].id
            await self.delete_session(owner, self.vanishing)
        return page


async def test_all_sessions_are_listed_though_one_goes_between_two_pages() -> None:
    store = _VanishingStore(MEMORY)
    sessions = sessions_of(store)
    async with store.running():
        made = {(await sessions.create(OWNER, [], {})).id for _ in range(201)}

        listed = await Histories(sessions).ids(OWNER)

    assert len(listed) == len(set(listed))
    assert set(listed) == made - {store.vanishing}


DRAFT = Draft(
    created_at=1,
    updated_at=1,
    messages=(
        DraftMessage(parent=None, created_at=1, said=(Said("user", "a"),)),
        DraftMessage(parent=0, created_at=1, said=(Said("user", "b"),)),
    ),
    head=0,
)


@pytest.mark.parametrize("call", ["create_session", "append", "move_head"])
@pytest.mark.parametrize("fails_late", [False, True])
async def test_of_a_session_that_cannot_be_stored_whole_nothing_stays(
    call: str, fails_late: bool
) -> None:
    async with shaky() as store:
        copies = Copies(sessions_of(store), FixedClock())
        store.failing, store.fails_late = {call}, fails_late

        with pytest.raises(StoreLost):
            await copies.take_in(OWNER, [DRAFT])

        assert await Histories(sessions_of(store)).ids(OWNER) == []


class _SmallStore(SqliteStore):
    """Is lost from the third session on."""

    num_made = 0

    async def create_session(self, session: Session, max_sessions: int) -> None:
        self.num_made += 1
        if self.num_made > 2:
            raise StoreLost("The database does not answer.")
        await super().create_session(session, max_sessions)


async def test_an_import_that_loses_its_store_tells_what_it_has_taken_in() -> None:
    store = _SmallStore(MEMORY)
    async with store.running():
        imported = await Copies(sessions_of(store), FixedClock()).take_in(OWNER, [DRAFT] * 5)
        there = await Histories(sessions_of(store)).ids(OWNER)

    assert {session.id for session in imported.sessions} == set(there)
    assert [(number, error.code) for number, error in imported.refused] == [
        (number, "store_unavailable") for number in (2, 3, 4)
    ]
