"""The last turns of a conversation, for a dialect that shows a model no more."""

import pytest

from frontend_api.domain.generation import ChatMessage
from frontend_api.domain.history import latest

TURNS = [
    ChatMessage("system", "s"),
    ChatMessage("user", "1"),
    ChatMessage("assistant", "2"),
    ChatMessage("user", "3"),
    ChatMessage("assistant", "4"),
]


@pytest.mark.parametrize(
    ("max_turns", "kept"), [(9, "s1234"), (4, "s1234"), (3, "s34"), (2, "s34"), (1, "s"), (-1, "s")]
)
def test_the_last_are_kept_from_a_turn_of_the_user_on_and_the_system_always(
    max_turns: int, kept: str
) -> None:
    assert "".join(turn.content or "" for turn in latest(TURNS, max_turns)) == kept
