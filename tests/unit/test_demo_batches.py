"""Dialogues as ChatML, tokens and batches."""

import jinja2.sandbox
import pytest
from tokenizers import Tokenizer

from scripts.demo.batches import NOT_LEARNED, Example, batches, encode, shortened
from scripts.demo.chance import Chance
from scripts.demo.chat import CHAT_TEMPLATE, Turn, prompt, render
from scripts.demo.tokenizer import train_tokenizer

DIALOGUE = [
    Turn("system", "Be kind."),
    Turn("user", "What is 12 + 3?"),
    Turn("assistant", "12 + 3 = 15"),
    Turn("user", "Thanks 👋"),
    Turn("assistant", "You are welcome! 😊"),
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer([turn.text for turn in DIALOGUE] * 3)


def template(dialogue: list[Turn], add_generation_prompt: bool) -> str:
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment()
    messages = [{"role": turn.role, "content": turn.text} for turn in dialogue]
    return environment.from_string(CHAT_TEMPLATE).render(
        messages=messages, add_generation_prompt=add_generation_prompt
    )


def test_pieces_join_to_what_the_chat_template_renders() -> None:
    assert "".join(piece.text for piece in render(DIALOGUE)) == template(DIALOGUE, False)
    assert prompt(DIALOGUE[:4]) == template(DIALOGUE[:4], True)


def test_the_template_reads_developer_as_system_and_no_content_as_empty() -> None:
    rendered = (
        jinja2.sandbox.ImmutableSandboxedEnvironment()
        .from_string(CHAT_TEMPLATE)
        .render(
            messages=[
                {"role": "developer", "content": "Hi"},
                {"role": "assistant", "content": None},
            ]
        )
    )

    assert rendered == "<|im_start|>system\nHi<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n"


def test_tokens_of_the_pieces_are_tokens_of_the_whole(tokenizer: Tokenizer) -> None:
    whole = tokenizer.encode(template(DIALOGUE, False)).ids

    assert encode(tokenizer, DIALOGUE, max_len=10_000).ids == whole


def test_only_the_assistant_is_learned(tokenizer: Tokenizer) -> None:
    example = encode(tokenizer, DIALOGUE, max_len=10_000)

    learned = tokenizer.decode(
        [label for label in example.labels if label != NOT_LEARNED], skip_special_tokens=False
    )

    assert learned == "12 + 3 = 15<|im_end|>You are welcome! 😊<|im_end|>"


def test_any_text_survives_the_tokenizer(tokenizer: Tokenizer) -> None:
    text = "Zürich, 東京, नमस्ते, 👩‍🚀 and\n\n  code: x = {1: 'a'}\t!"

    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_digits_are_tokens_of_their_own(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("123").tokens == ["1", "2", "3"]


def test_a_long_dialogue_is_cut(tokenizer: Tokenizer) -> None:
    example = encode(tokenizer, DIALOGUE, max_len=7)

    assert len(example.ids) == len(example.labels) == 7


def test_a_shortened_example_ends_after_the_first_learned_tokens() -> None:
    ids = list(range(20))
    example = Example(ids, [NOT_LEARNED, *ids[1:]])

    assert shortened(example, 2) == Example(ids[:3], [NOT_LEARNED, 1, 2])
    assert shortened(example, 19) == example


def test_a_short_answer_is_never_cut() -> None:
    example = Example([1, 2, 3, 4, 5], [NOT_LEARNED, 2, 3, 4, 5])

    assert shortened(example, 2) == example


def test_batches_hold_every_example_once_within_the_limit() -> None:
    examples = [Example([n] * (n % 13 + 1), [n] * (n % 13 + 1)) for n in range(1, 200)]

    made = list(batches(examples, max_tokens=64, pad_id=0, rng=Chance(0)))

    assert sorted(row[0] for batch in made for row in batch.ids) == list(range(1, 200))
    assert all(len(batch.ids) * len(batch.ids[0]) <= 64 for batch in made)


def test_padding_is_not_learned() -> None:
    examples = [Example([5], [5]), Example([6, 7, 8], [6, 7, 8])]

    [batch] = batches(examples, max_tokens=6, pad_id=0, rng=Chance(0))

    assert batch.ids == [[5, 0, 0], [6, 7, 8]]
    assert batch.labels == [[5, NOT_LEARNED, NOT_LEARNED], [6, 7, 8]]


def test_broken_words_keep_the_text_the_marks_and_what_is_learned(tokenizer: Tokenizer) -> None:
    dialogue = [Turn("user", "rotating everything carefully"), Turn("assistant", "certainly")]
    whole = encode(tokenizer, dialogue, max_len=10_000)

    broken = encode(tokenizer, dialogue, 10_000, broken_share=1.0, rng=Chance(0))

    def text(ids: list[int]) -> str:
        return str(tokenizer.decode(ids, skip_special_tokens=False))

    def learned(example: Example) -> list[int]:
        return [label for label in example.labels if label != NOT_LEARNED]

    assert text(broken.ids) == text(whole.ids)
    assert broken.ids != whole.ids
    assert learned(broken) == learned(whole)
    assert broken.ids[0] == whole.ids[0]
