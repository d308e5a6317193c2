"""Small tokenizers of every decoder family, made in memory."""

import json
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

SPECIAL = ["<s>", "</s>"]


def byte_level_json() -> str:
    """256 byte tokens, a few merges, two special tokens, one added token with a space."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {char: index for index, char in enumerate(alphabet)}
    merges = [("h", "e"), ("l", "l"), ("\u0120", "w")]
    for left, right in merges:
        vocab[left + right] = len(vocab)
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.add_tokens(["<tool call>"])
    return str(tokenizer.to_str())


def byte_fallback_json(*, has_strip: bool) -> str:
    """Words with a low line for a space, and <0x00>..<0xFF>, as Llama 2 has them."""
    words = ["<unk>", "\u2581", "\u2581a", "b", "c", "\u2581\u2581", "x\u2581y", "\u00e9"]
    tokens = words + [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token: index for index, token in enumerate(tokens)},
            merges=[],
            byte_fallback=True,
            unk_token="<unk>",
        )
    )
    steps: list[Any] = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    if has_strip:
        steps.append(decoders.Strip(content=" ", left=1, right=0))
    tokenizer.decoder = decoders.Sequence(steps)
    tokenizer.add_special_tokens(SPECIAL)
    return str(tokenizer.to_str())


def word_piece_json() -> str:
    """Whole words and ##-pieces."""
    tokens = ["[UNK]", "hello", "world", "##ly", "##s", "a", "b"]
    tokenizer = Tokenizer(
        models.WordPiece(vocab={t: i for i, t in enumerate(tokens)}, unk_token="[UNK]")
    )
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    tokenizer.add_special_tokens(SPECIAL)
    return str(tokenizer.to_str())


def metaspace_json() -> str:
    """The byte-fallback words with a decoder that no class of ours knows."""
    content = json.loads(byte_fallback_json(has_strip=False))
    content["decoder"] = {
        "type": "Metaspace",
        "replacement": "\u2581",
        "prepend_scheme": "always",
        "split": True,
    }
    return json.dumps(content)
