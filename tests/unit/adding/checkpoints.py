"""Checkpoints in Hugging Face form with nothing in them, for tests that only read what they say."""

import json
from pathlib import Path

CONFIG = {
    "architectures": ["Qwen2ForCausalLM"],
    "max_position_embeddings": 4096,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_size": 64,
    "eos_token_id": 7,
}
_SHAPE = (10, 64)
_BYTES = 2 * 10 * 64


def make_checkpoint(folder: Path, **config: object) -> Path:
    """Write a small checkpoint; `config` overrides fields of config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "config.json", CONFIG | config)
    write(folder / "tokenizer.json", {"added_tokens": []})
    make_weights(folder / "model.safetensors")
    return folder


def make_weights(path: Path, *, cut: int = 0) -> None:
    """Write a safetensors file of one tensor, without its last `cut` bytes."""
    tensor = {"dtype": "BF16", "shape": _SHAPE, "data_offsets": (0, _BYTES)}
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": tensor}).encode()
    body = header + bytes(_BYTES - cut)
    path.write_bytes(len(header).to_bytes(8, "little") + body)


def write(path: Path, content: object) -> None:
    """Write JSON."""
    path.write_text(json.dumps(content), encoding="utf-8")
