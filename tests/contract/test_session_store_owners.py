"""Nobody reaches what belongs to another owner, and no text is more than text to a store."""

from dataclasses import replace

import pytest

from frontend_api.domain.answer_pieces import CallStarted, Content
from frontend_api.domain.errors import BadRequest, Conflict, NotFound
from frontend_api.domain.sessions import SessionChanges
from frontend_api.domain.stored import IdempotencyClaim, KeptAnswer
from frontend_api.ports import Store
from tests.contract.stores import (
    ALICE,
    MALLORY,
    NOW,
    a_checkpoint,
    a_message,
    a_session,
    an_answer,
    an_ending,
    with_session,
)

STRANGE = [
    '{"$ne": null}',
    "$where",
    "$",
    "a.b",
    ".",
    "",
    "' OR 1=1 --",
    '"; DROP TABLE sessions; --',
    "%",
    "_",
    "x\x00y",
    "\x00",
    "😀",
    "\u202e",
    "__proto__",
]
SURROGATE = "a\ud800b"


async def test_strangers_see_nothing_of_a_session(store: Store) -> None:
    await with_session(store, a_message("msg_1", "secret"), an_answer())

    page = await store.sessions(MALLORY, NOW, after=None, limit=10)

    assert list(page.sessions) == []
    assert await store.session(MALLORY, "conv_1", NOW) is None
    assert await store.message(MALLORY, "msg_1") is None
    assert await store.messages(MALLORY, "conv_1") == []
    assert list(await store.search(MALLORY, "secret", NOW, limit=10)) == []
    assert list(await store.search(MALLORY, "secret", NOW, limit=10, session_id="conv_1")) == []


async def test_strangers_change_nothing_of_a_session(store: Store) -> None:
    session = await with_session(store, a_message("msg_1", "secret"), an_answer())
    messages = await store.messages(ALICE, "conv_1")

    assert await store.change_session(MALLORY, "conv_1", SessionChanges(title="x")) is None
    assert not await store.delete_session(MALLORY, "conv_1")
    with pytest.raises(NotFound):
        await store.move_head(MALLORY, "conv_1", None, session.head_version)
    with pytest.raises(NotFound):
        await store.append([a_message("msg_2", owner=MALLORY)], session.head_version, NOW)
    assert not await store.remove_items(MALLORY, "msg_1", [0])
    assert not await store.delete_message(MALLORY, "msg_1")
    assert not await store.request_cancel(MALLORY, "resp_1")
    assert await store.checkpoint(a_checkpoint(0, "x", owner=MALLORY)) is None
    assert not await store.finish(a_checkpoint(0, "x", owner=MALLORY), an_ending())

    assert await store.session(ALICE, "conv_1", NOW) == session
    assert await store.messages(ALICE, "conv_1") == messages


async def test_idempotency_keys_are_each_owners_own(store: Store) -> None:
    claim = IdempotencyClaim(
        owner=ALICE, key="k", fingerprint="f", claimed_at=NOW, expires_at=NOW + 9
    )
    await store.claim(claim)

    await store.keep(MALLORY, "k", NOW, KeptAnswer(200, "text/plain", b"theirs"))
    await store.release(MALLORY, "k", NOW)

    known = await store.claim(claim)
    assert known is not None
    assert known.answer is None


async def test_strange_text_is_kept_as_it_is(store: Store) -> None:
    for number, text in enumerate(STRANGE):
        session_id, answer_id = f"conv_{number}", f"resp_{number}"
        session = a_session(session_id, title=text, metadata={text: text, "plain": "1"})
        message = a_message(f"msg_{number}", text, session_id=session_id)
        pieces = (Content(text or " "), CallStarted(0, text, text))
        await store.create_session(session, 0)
        answer = replace(an_answer(answer_id), session_id=session_id)

        await store.append([message, answer], 0, NOW)
        await store.finish(a_checkpoint(0, *pieces, message_id=answer_id), an_ending())

        kept = await store.session(ALICE, session_id, NOW)
        assert kept is not None
        assert (kept.title, kept.metadata) == (session.title, session.metadata)
        assert await store.message(ALICE, message.id) == message
        ended = await store.message(ALICE, answer_id)
        assert ended is not None
        assert ended.run is not None
        assert ended.run.pieces == pieces


async def test_strange_ids_find_only_themselves(store: Store) -> None:
    await with_session(store, a_message("msg_1"))

    for text in STRANGE:
        assert await store.session(ALICE, text, NOW) is None
        assert await store.session(text, "conv_1", NOW) is None
        assert await store.message(ALICE, text) is None
        assert await store.message(text, "msg_1") is None
        assert await store.messages(text, "conv_1") == []
        assert not await store.delete_session(text, "conv_1")
        assert not await store.delete_session(ALICE, text)
        await store.create_session(a_session(text), 0)
        found = await store.session(ALICE, text, NOW)
        assert found is not None
        assert found.id == text


async def test_lone_surrogates_in_text_never_cost_the_rest_of_it(store: Store) -> None:
    await store.create_session(a_session(title=SURROGATE, metadata={SURROGATE: SURROGATE}), 0)

    await store.append([a_message("msg_1", SURROGATE), an_answer()], 0, NOW)
    await store.checkpoint(a_checkpoint(0, SURROGATE))
    await store.finish(a_checkpoint(1, "c"), an_ending(error_message=SURROGATE))

    shown = "a\ufffdb"
    session = await store.session(ALICE, "conv_1", NOW)
    message, answer = await store.messages(ALICE, "conv_1")
    assert session is not None
    assert (session.title, dict(session.metadata)) == (shown, {shown: shown})
    assert (message.text, answer.text) == (shown, shown + "c")


async def test_lone_surrogates_in_ids_are_refused(store: Store) -> None:
    refused = (BadRequest, NotFound, Conflict)

    with pytest.raises(refused):
        await store.create_session(a_session(SURROGATE), 0)
    with pytest.raises(refused):
        await store.session(ALICE, SURROGATE, NOW)
    with pytest.raises(refused):
        await store.message(SURROGATE, "msg_1")

    assert await store.ping()


async def test_lone_surrogates_in_a_search_find_nothing(store: Store) -> None:
    await with_session(store, a_message("msg_1", "ab"))

    assert list(await store.search(ALICE, SURROGATE, NOW, limit=10)) == []
