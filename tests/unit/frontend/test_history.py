"""From items to the turns of a chat template, and what may be left out of them."""

from hypothesis import given
from hypothesis import strategies as st

from frontend_api.domain.generation import ChatMessage, MadeCall
from frontend_api.domain.history import Conversation, chat_messages
from frontend_api.domain.messages import Called, Item, Returned, Said, Thought

CALL = MadeCall("call_1", "look", "{}")
USER = ChatMessage("user", "hi")
SYSTEM = ChatMessage("system", "rules")
ANSWER = ChatMessage("assistant", "yes")
CALLING = ChatMessage("assistant", None, calls=(CALL,))
RESULT = ChatMessage("tool", "sun", call_id="call_1")


def test_thoughts_text_and_calls_of_one_answer_are_one_turn() -> None:
    turns = chat_messages(
        [
            Said("user", "hi"),
            Thought("hm"),
            Said("assistant", "let me see"),
            Called("call_1", "look", "{}"),
            Called("call_2", "listen", "{}"),
            Returned("call_1", "sun"),
        ]
    )

    assert turns == [
        USER,
        ChatMessage(
            "assistant",
            "let me see",
            reasoning="hm",
            calls=(CALL, MadeCall("call_2", "listen", "{}")),
        ),
        RESULT,
    ]


def test_text_after_a_call_goes_before_its_result() -> None:
    turns = chat_messages(
        [Called("call_1", "look", "{}"), Said("assistant", "wait"), Returned("call_1", "sun")]
    )

    assert turns == [ChatMessage("assistant", "wait", calls=(CALL,)), RESULT]


def test_thoughts_that_led_to_nothing_are_forgotten() -> None:
    assert chat_messages([Thought("hm"), Said("user", "hi")]) == [USER]


def test_a_developer_speaks_as_the_system() -> None:
    assert chat_messages([Said("developer", "rules")]) == [SYSTEM]


def test_the_past_is_cut_before_a_user_speaks_and_keeps_the_system() -> None:
    talk = Conversation([SYSTEM, USER, ANSWER, USER, ANSWER], [USER], "Be kind.")

    assert talk.cuts() == [3, 5]
    assert talk.without(3) == (
        ChatMessage("system", "Be kind."),
        SYSTEM,
        USER,
        ANSWER,
        USER,
    )
    assert talk.num_dropped(3) == 2


def test_a_result_keeps_the_turn_that_called_for_it() -> None:
    talk = Conversation([USER, ANSWER, USER, CALLING], [RESULT])

    assert talk.cuts() == [2]


def test_without_new_input_the_last_word_of_the_user_stays() -> None:
    talk = Conversation([USER, ANSWER, USER], [])

    assert talk.cuts() == [2]


def test_there_is_nothing_to_leave_out_of_a_first_turn() -> None:
    assert Conversation([], [USER]).cuts() == []
    assert Conversation([SYSTEM], [USER]).cuts() == []


ITEMS = st.lists(
    st.one_of(
        st.just(Said("system", "s")),
        st.just(Said("user", "u")),
        st.just(Said("assistant", "a")),
        st.just(Thought("t")),
        st.integers(0, 3).map(lambda n: Called(f"c{n}", "f", "{}")),
        st.integers(0, 3).map(lambda n: Returned(f"c{n}", "r")),
    ),
    max_size=12,
)


@given(ITEMS, ITEMS)
def test_a_cut_never_parts_a_result_from_its_call(past: list[Item], new: list[Item]) -> None:
    talk = Conversation(chat_messages(past), chat_messages(new))
    whole = talk.without(0)

    for cut in talk.cuts():
        kept = talk.without(cut)
        assert len(kept) + talk.num_dropped(cut) == len(whole)
        assert kept[len(kept) - len(talk.new) :] == tuple(talk.new)
        assert sum(t.role == "system" for t in kept) == sum(t.role == "system" for t in whole)
        assert _orphans(kept) <= _orphans(whole)


def _orphans(turns: tuple[ChatMessage, ...]) -> set[int]:
    """Return where results without a call are, counted from the end."""
    called: set[str] = set()
    orphans: set[int] = set()
    for at, turn in enumerate(turns):
        called.update(call.id for call in turn.calls)
        if turn.call_id is not None and turn.call_id not in called:
            orphans.add(len(turns) - at)
    return orphans
