"""tokenizer.json, opened strictly."""

from pathlib import Path

import pytest

from tests.unit.backend.tokenizers_made import (
    byte_fallback_json,
    byte_level_json,
    metaspace_json,
)
from triton_backend.llm.errors import LoadError
from triton_backend.llm.tokenizer import Tokenizer, open_tokenizer


def test_ids_decode_to_the_text_they_came_from() -> None:
    tokenizer = Tokenizer(byte_level_json())
    text = "hello w\u00f6rld \U0001f41a"

    ids = tokenizer.encode(text, has_special_tokens=False)

    assert tokenizer.decode(ids, has_special_tokens=False) == text


def test_detokenizing_can_show_special_tokens() -> None:
    tokenizer = Tokenizer(byte_level_json())
    ids = tokenizer.encode("<s>he</s>", has_special_tokens=False)

    assert tokenizer.decode(ids, has_special_tokens=True) == "<s>he</s>"
    assert tokenizer.decode(ids, has_special_tokens=False) == "he"


def test_has_id_knows_the_vocabulary() -> None:
    tokenizer = Tokenizer(byte_level_json())

    assert tokenizer.has_id(0)
    assert not tokenizer.has_id(-1)
    assert not tokenizer.has_id(tokenizer.vocab_size)


@pytest.mark.parametrize("content", [None, "not json", "{}"])
def test_a_missing_or_broken_tokenizer_refuses_the_model(
    tmp_path: Path, content: str | None
) -> None:
    folder = tmp_path / "mine" / "1"
    folder.mkdir(parents=True)
    if content is not None:
        (folder / "tokenizer.json").write_text(content, encoding="utf-8")

    with pytest.raises(LoadError, match=r"^mine: tokenizer\.json"):
        open_tokenizer(folder)


@pytest.mark.parametrize(
    ("source", "is_whole"),
    [
        (byte_level_json(), True),
        (byte_fallback_json(has_strip=False), True),
        (metaspace_json(), False),
    ],
    ids=["bytes", "fallback", "any"],
)
def test_the_bytes_of_single_tokens_join_to_the_text(source: str, is_whole: bool) -> None:
    tokenizer = Tokenizer(source)
    text = "b\u00e9\U0001f41ac"
    ids = tokenizer.encode(text, has_special_tokens=False)

    joined = b"".join(tokenizer.token_bytes(one) for one in ids)

    assert joined.startswith(b"b\xc3\xa9")
    assert (joined.decode("utf-8", "replace") == text) == is_whole


def test_a_special_token_prints_no_bytes() -> None:
    tokenizer = Tokenizer(byte_level_json())
    (special,) = tokenizer.encode("</s>", has_special_tokens=False)

    assert tokenizer.token_bytes(special) == b""
