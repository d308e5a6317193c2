"""Deltas of text: whole characters only, and together exactly one decode."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.backend.tokenizers_made import (
    byte_fallback_json,
    byte_level_json,
    metaspace_json,
    word_piece_json,
)
from triton_backend.llm.detokenizer import WindowDetokenizer
from triton_backend.llm.tokenizer import Tokenizer

TOKENIZERS = {
    "byte level": Tokenizer(byte_level_json()),
    "byte fallback": Tokenizer(byte_fallback_json(has_strip=False)),
    "byte fallback, left strip": Tokenizer(byte_fallback_json(has_strip=True)),
    "word piece": Tokenizer(word_piece_json()),
    "metaspace": Tokenizer(metaspace_json()),
}
TEXT = "he\u00e9llo w\u65e5\u672c\u8a9e \U0001f469\u200d\U0001f680\U0001f41a!"


def decode_in_pieces(tokenizer: Tokenizer, pieces: Sequence[Sequence[int]]) -> list[str]:
    detokenizer = tokenizer.detokenizer()
    return [*(detokenizer.push(ids) for ids in pieces), detokenizer.finish()]


@pytest.mark.parametrize("name", TOKENIZERS)
@given(draw=st.data())
def test_concatenation_equals_one_decode(name: str, draw: st.DataObject) -> None:
    tokenizer = TOKENIZERS[name]
    # A few ids beyond the vocabulary: an engine's logits may be wider than the tokenizer.
    token_id = st.integers(0, tokenizer.vocab_size + 2)
    pieces = draw.draw(st.lists(st.lists(token_id, max_size=5), max_size=12))

    deltas = decode_in_pieces(tokenizer, pieces)

    ids = [token_id for piece in pieces for token_id in piece]
    assert "".join(deltas) == tokenizer.decode(ids, has_special_tokens=False)


@pytest.mark.parametrize("name", ["byte level", "byte fallback"])
def test_no_delta_has_a_split_character(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    ids = tokenizer.encode(TEXT, has_special_tokens=False)

    deltas = decode_in_pieces(tokenizer, [[token_id] for token_id in ids])

    assert "\ufffd" not in "".join(deltas)


@pytest.mark.parametrize("name", ["byte level", "byte fallback"])
def test_every_split_point_gives_the_same_text(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    ids = tokenizer.encode(TEXT, has_special_tokens=False)

    for cut in range(len(ids) + 1):
        deltas = decode_in_pieces(tokenizer, [ids[:cut], ids[cut:]])

        assert "".join(deltas) == tokenizer.decode(ids, has_special_tokens=False)


def test_special_tokens_print_nothing_and_added_tokens_print_themselves() -> None:
    tokenizer = TOKENIZERS["byte level"]
    ids = tokenizer.encode("<s>he<tool call></s>", has_special_tokens=False)

    assert "".join(decode_in_pieces(tokenizer, [ids])) == "he<tool call>"


def test_a_sequence_cut_inside_a_character_ends_with_one_replacement() -> None:
    tokenizer = TOKENIZERS["byte level"]
    ids = tokenizer.encode("\U0001f41a", has_special_tokens=False)

    assert decode_in_pieces(tokenizer, [ids[:-1]]) == ["", "\ufffd"]


def test_window_looks_at_a_bounded_number_of_ids_when_nothing_is_printed() -> None:
    lengths: list[int] = []

    def decode(ids: Sequence[int]) -> str:
        lengths.append(len(ids))
        return "\ufffd" * len(ids)

    detokenizer = WindowDetokenizer(decode, lambda _: True)

    text = detokenizer.push(list(range(1000))) + detokenizer.finish()

    assert text == "\ufffd" * 1000
    assert max(lengths) <= 2 * WindowDetokenizer.MAX_PENDING
