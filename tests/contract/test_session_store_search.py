"""Search in every store."""

from frontend_api.domain.answer_pieces import Content, Reasoning
from frontend_api.domain.messages import Run
from frontend_api.domain.sessions import SessionChanges
from frontend_api.ports import Store
from tests.contract.stores import ALICE, NOW, a_message, a_session, an_ending, with_session


async def found(
    store: Store, text: str, limit: int = 10, session_id: str | None = None
) -> list[str]:
    hits = await store.search(ALICE, text, NOW, limit=limit, session_id=session_id)
    return [hit.message_id for hit in hits]


async def test_search_is_blind_to_case_in_every_script(store: Store) -> None:
    await with_session(
        store,
        a_message("msg_1", "Straße nach ÅRHUS"),
        a_message("msg_2", "ЖИЗНЬ"),
        a_message("msg_3", "nothing"),
    )

    assert await found(store, "STRASSE") == ["msg_1"]
    assert await found(store, "århus") == ["msg_1"]
    assert await found(store, "жизнь") == ["msg_2"]


async def test_search_takes_every_character_as_it_is(store: Store) -> None:
    strange = ["100%", "a_b", "\\", "[x]", "*", "(", "$where", ".+", "x\x00y", "'; --"]
    plain = a_message("msg_plain", "100 percent aXb zzz where xy")
    messages = [a_message(text, f"before {text} after") for text in strange]

    await with_session(store, plain, *messages)

    assert [await found(store, text) for text in strange] == [[text] for text in strange]


async def test_search_finds_the_newest_first_and_no_more_than_asked_for(store: Store) -> None:
    messages = [a_message(f"msg_{n}", "echo", created_at=NOW + n) for n in (2, 0, 3, 1)]
    await with_session(store, *messages)

    assert await found(store, "echo") == ["msg_3", "msg_2", "msg_1", "msg_0"]
    assert await found(store, "echo", limit=2) == ["msg_3", "msg_2"]


async def test_search_looks_into_answers_and_shows_what_is_around(store: Store) -> None:
    pieces = (Reasoning("needles?"), Content("hay " * 100 + "a Nee"), Content("dle" + " hay" * 100))
    run = Run(
        model="demo",
        status="completed",
        worker="w",
        lease_until=NOW,
        pieces=pieces,
        ending=an_ending(),
    )
    await with_session(store, a_message("resp_1", said=(), run=run))

    hits = await store.search(ALICE, "needle", NOW, limit=10)

    assert [(hit.session_id, hit.message_id) for hit in hits] == [("conv_1", "resp_1")]
    assert "hay a Needle hay" in hits[0].excerpt
    assert len(hits[0].excerpt) < 200


async def test_search_keeps_to_the_session_asked_for_and_to_those_alive(store: Store) -> None:
    await with_session(store, a_message("msg_1", "echo"))
    await store.create_session(a_session("conv_2", expires_at=NOW + 10), 0)
    await store.append([a_message("msg_2", "echo", session_id="conv_2")], 0, NOW)

    assert sorted(await found(store, "echo")) == ["msg_1", "msg_2"]
    assert await found(store, "echo", session_id="conv_2") == ["msg_2"]
    assert await found(store, "echo", session_id="conv_3") == []
    await store.change_session(ALICE, "conv_2", SessionChanges(expires_at=NOW))
    assert await found(store, "echo") == ["msg_1"]


async def test_nothing_is_found_by_nothing(store: Store) -> None:
    await with_session(store, a_message("msg_1"))

    assert await found(store, "") == []
