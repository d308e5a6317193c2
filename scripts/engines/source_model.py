"""What a Hugging Face checkpoint is to a GPU: its sizes, and whether it is quantized already."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts.adding.errors import AddingError
from scripts.adding.inspection import Facts, inspect_checkpoint

_QUANTIZATION: Final = "hf_quant_config.json"  # ModelOpt's own, beside config.json


@dataclass(frozen=True, slots=True)
class SourceModel:
    """A checkpoint; sizes as in config.json.

    kept_weights: the embedding and the head, which stay in 16 bits when the rest is quantized.
    quantized_as, cache_quantized_as: what ModelOpt has made of weights and KV cache, "" nothing.
    """

    folder: Path
    facts: Facts
    layers: int
    hidden_size: int
    intermediate_size: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab_size: int
    kept_weights: int
    quantized_as: str
    cache_quantized_as: str


def read_source(folder: Path) -> SourceModel:
    """Read a folder; AddingError says in one sentence what is missing, truncated or unknown."""
    facts = inspect_checkpoint(folder)
    if not (folder / "tokenizer.json").is_file():
        raise AddingError(f"{folder.name} has no tokenizer.json, which serving needs.", 2)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    try:
        return _source(folder, facts, config | config.get("text_config", {}))
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise AddingError(f"config.json of {folder.name} lacks a usable {error}.", 2) from error


def _source(folder: Path, facts: Facts, config: Mapping[str, Any]) -> SourceModel:
    heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
    tables = 1 if config.get("tie_word_embeddings") else 2
    quantization = _quantization(folder)
    return SourceModel(
        folder=folder,
        facts=facts,
        layers=int(config["num_hidden_layers"]),
        hidden_size=hidden,
        intermediate_size=int(config["intermediate_size"]),
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or hidden // heads),
        vocab_size=int(config["vocab_size"]),
        kept_weights=min(tables * int(config["vocab_size"]) * hidden, facts.num_parameters),
        quantized_as=str(quantization.get("quant_algo") or ""),
        cache_quantized_as=str(quantization.get("kv_cache_quant_algo") or ""),
    )


def _quantization(folder: Path) -> Mapping[str, Any]:
    path = folder / _QUANTIZATION
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["quantization"]
        if not isinstance(content, dict):
            raise TypeError(type(content))
    except (ValueError, KeyError, TypeError) as error:
        raise AddingError(f"{path.name} of {folder.name} cannot be read.", 2) from error
    return content
