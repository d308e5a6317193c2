"""Hugging Face folders of any size that take no room: the weights are holes in sparse files."""

import json
from pathlib import Path
from typing import Any

LLAMA_8B: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "eos_token_id": [128001, 128009],
}
QWEN_7B: dict[str, Any] = {
    "architectures": ["Qwen2ForCausalLM"],
    "num_hidden_layers": 28,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "max_position_embeddings": 32768,
    "eos_token_id": 151645,
}
TINY: dict[str, Any] = LLAMA_8B | {
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "vocab_size": 512,
    "max_position_embeddings": 4096,
    "eos_token_id": 2,
}


def write_checkpoint(folder: Path, config: dict[str, Any]) -> Path:
    """Make the folder of a model with this config.json, all weights in bf16."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    (folder / "chat_template.jinja").write_text("{{ messages }}<tool_call>", encoding="utf-8")
    header: dict[str, Any] = {}
    offset = 0
    for name, shape in _shapes(config).items():
        end = offset + 2 * shape[0] * shape[1]
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + offset)
    return folder


def _shapes(config: dict[str, Any]) -> dict[str, list[int]]:
    hidden, mlp = config["hidden_size"], config["intermediate_size"]
    cached = hidden * config["num_key_value_heads"] // config["num_attention_heads"]
    table = [config["vocab_size"], hidden]
    shapes = {"model.embed_tokens.weight": table, "lm_head.weight": table}
    for layer in range(config["num_hidden_layers"]):
        shapes |= {
            f"{layer}.qo": [hidden, 2 * hidden],
            f"{layer}.kv": [hidden, 2 * cached],
            f"{layer}.mlp": [hidden, 3 * mlp],
        }
    return shapes
