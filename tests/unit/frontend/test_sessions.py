"""The use cases of stored conversations, on a store in memory."""

from frontend_api.adapters.sqlite import SqliteStore
from frontend_api.adapters.sqlite_connection import MEMORY
from frontend_api.domain.answer_pieces import Content
from frontend_api.domain.errors import StoreLost
from frontend_api.domain.messages import Ending, Message, Run, Said
from frontend_api.domain.sessions import Session, SessionChanges
from frontend_api.service.sessions import Sessions
from frontend_api.settings import LimitSettings
from tests.web.fakes import FixedClock

OWNER = "alice"


class _LosingStore(SqliteStore):
    """Is lost whenever a session is to be changed."""

    async def change_session(
        self, owner: str, session_id: str, changes: SessionChanges
    ) -> Session | None:
        raise StoreLost("The database does not answer.")


class _CountingStore(SqliteStore):
    """Counts the pieces that are read."""

    num_read = 0

    async def message(self, owner: str, message_id: str, *, first: int = 0) -> Message | None:
        found = await super().message(owner, message_id, first=first)
        if found is not None and found.run is not None:
            self.num_read += len(found.run.pieces)
        return found


async def test_a_list_of_sessions_reads_nothing_of_what_their_answers_say() -> None:
    clock = FixedClock()
    now = clock.now()
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
    sessions = Sessions(store, clock, LimitSettings(), lambda _owner, _id: None)
    async with store.running():
        await sessions.store(Session(id="s", owner=OWNER, created_at=now, updated_at=now), [answer])

        seen, _ = await sessions.page(OWNER, None, 10)

    assert [(each.session.head, each.is_running) for each in seen] == [("resp_1", False)]
    assert store.num_read == 0


async def test_items_that_were_added_are_answered_though_their_session_gets_no_title() -> None:
    store = _LosingStore(MEMORY)
    sessions = Sessions(store, FixedClock(), LimitSettings(), lambda _owner, _id: None)
    async with store.running():
        session = await sessions.create(OWNER, [], {})

        added = await sessions.add(OWNER, session.id, [Said("user", "Where is the sea?")])
        _, there = await sessions.tree(OWNER, session.id)

    assert [message.id for message in there] == [message.id for message in added]
