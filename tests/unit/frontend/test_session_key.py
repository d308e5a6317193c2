"""The key by which requests that begin alike are sent to the same server."""

from dataclasses import replace

import pytest

from frontend_api.domain.generation import (
    ChatMessage,
    ChatPrompt,
    GenerationRequest,
    Prompt,
    TextPrompt,
    TokenPrompt,
)
from frontend_api.domain.session_key import session_key

RULES = ChatMessage("system", "Be brief.")
FIRST = ChatMessage("user", "Who is Triton?")
ANSWER = ChatMessage("assistant", "A god.")
SECOND = ChatMessage("user", "Of what?")
CHAT = ChatPrompt((RULES, FIRST))


def key(prompt: Prompt, model: str = "demo") -> str:
    return session_key(GenerationRequest(model=model, prompt=prompt))


def test_a_conversation_keeps_its_key_as_it_grows() -> None:
    grown = replace(CHAT, messages=(RULES, FIRST, ANSWER, SECOND))

    assert key(grown) == key(CHAT)


@pytest.mark.parametrize(
    "other",
    [
        ChatPrompt((FIRST,)),
        ChatPrompt((RULES, SECOND)),
        ChatPrompt((replace(RULES, content="Be long."), FIRST)),
        ChatPrompt((RULES, FIRST), tools="[]"),
        TextPrompt("Who is Triton?"),
    ],
)
def test_what_begins_otherwise_has_another_key(other: Prompt) -> None:
    assert key(other) != key(CHAT)


def test_each_model_has_its_own_keys() -> None:
    assert key(CHAT, "demo") != key(CHAT, "other")


def test_a_text_and_token_ids_keep_their_key_when_they_go_on() -> None:
    assert key(TextPrompt("a" * 1024 + "b")) == key(TextPrompt("a" * 1024 + "c"))
    assert key(TokenPrompt((7,) * 256 + (1,))) == key(TokenPrompt((7,) * 256 + (2,)))


def test_parts_are_not_mistaken_for_one_another() -> None:
    assert key(ChatPrompt((ChatMessage("user", "ab"),), tools="c")) != key(
        ChatPrompt((ChatMessage("user", "b"),), tools="ca")
    )


def test_half_a_character_and_an_empty_conversation_have_a_key_too() -> None:
    assert len(key(TextPrompt("\ud83d"))) == 32
    assert len(key(ChatPrompt(()))) == 32
