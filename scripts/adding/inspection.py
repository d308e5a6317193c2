"""What a Hugging Face checkpoint is, read from its files before anything is compiled."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

from scripts.adding.errors import AddingError

_INDEX: Final = "model.safetensors.index.json"
_TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "vocab.json")
_LENGTH_BYTES: Final = 8
_MAX_HEADER_BYTES: Final = 100 * 1024 * 1024
# Tokens with which chat models end a turn; some name only the end of a text in their config.
_TURN_ENDS: Final = ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<|end|>")

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a model before it is compiled.

    kv_values: numbers that the KV cache keeps for each token. num_parameters: 0 if unknown.
    """

    architecture: str
    context_length: int
    eos_token_ids: tuple[int, ...]
    chat_template: str | None
    num_parameters: int
    num_bytes: int
    kv_values: int


def inspect_checkpoint(folder: Path) -> Facts:
    """Read config.json, the tokenizer's files and the headers of the weights.

    Raises AddingError: what is missing, truncated or needs code of its own.
    """
    config = _config(folder)
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise AddingError(f"{folder.name} has no tokenizer: tokenizer.json is missing.")
    weights = [_weights(path) for path in _weight_files(folder)]
    return Facts(
        architecture=_architecture(config),
        context_length=_context(config, folder),
        eos_token_ids=eos_ids(folder),
        chat_template=chat_template(folder),
        num_parameters=sum(count for count, _ in weights),
        num_bytes=sum(size for _, size in weights),
        kv_values=_kv_values(config),
    )


def inspect_openvino(folder: Path) -> Facts:
    """Read the files beside a compiled model; its weights are not counted."""
    config = _config(folder)
    return Facts(
        architecture=_architecture(config),
        context_length=_context(config, folder),
        eos_token_ids=eos_ids(folder),
        chat_template=chat_template(folder),
        num_parameters=0,
        num_bytes=sum(path.stat().st_size for path in folder.iterdir() if path.is_file()),
        kv_values=_kv_values(config),
    )


def chat_template(folder: Path) -> str | None:
    """Return the model's chat template; None when it has none."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise AddingError(f"{path.name} of {folder.name} is no text in UTF-8.") from error
    template = _json(folder / "tokenizer_config.json", is_needed=False).get("chat_template")
    if isinstance(template, list):  # several by name
        tables = [each for each in template if isinstance(each, Mapping)]
        named = {str(each.get("name")): each.get("template") for each in tables}
        template = named.get("default") or named.get("tool_use")
    return template if isinstance(template, str) else None


def eos_ids(folder: Path) -> tuple[int, ...]:
    """Return every id that ends an answer, in ascending order."""
    found: set[int] = set()
    for name in ("generation_config.json", "config.json"):
        found.update(_ids(_json(folder / name, is_needed=False).get("eos_token_id")))
    config = _json(folder / "tokenizer_config.json", is_needed=False)
    end = config.get("eos_token")
    end = end.get("content") if isinstance(end, Mapping) else end
    names = {end} if isinstance(end, str) else set()
    template = chat_template(folder) or ""
    names.update(turn_end for turn_end in _TURN_ENDS if turn_end in template)
    tokens = _json(folder / "tokenizer.json", is_needed=False).get("added_tokens")
    for token in tokens if isinstance(tokens, list) else ():
        if isinstance(token, Mapping) and str(token.get("content")) in names:
            found.update(_ids(token.get("id")))
    return tuple(sorted(found))


def tool_format(template: str | None) -> str | None:
    """Return how the model writes calls, as its template tells; None: not at all."""
    text = template or ""
    if "<tool_call>" in text:
        return "hermes"
    return "llama3_json" if "ipython" in text and '"parameters"' in text else None


def reasoning_format(template: str | None) -> str | None:
    """Return how the model marks its reasoning, as its template tells."""
    return "think" if "</think>" in (template or "") else None


def _config(folder: Path) -> Json:
    config = _json(folder / "config.json")
    if "auto_map" in config:
        raise AddingError(f"{folder.name} brings Python code of its own, which is not run here.")
    # Models that also see or hear keep the numbers of their text part in a table of its own.
    inner = config.get("text_config")
    return {**config, **inner} if isinstance(inner, Mapping) else config


def _architecture(config: Json) -> str:
    named = config.get("architectures")
    if isinstance(named, list) and named:
        return str(named[0])
    return str(config.get("model_type", "unknown"))


def _context(config: Json, folder: Path) -> int:
    length = _number(config, "max_position_embeddings") or _number(config, "n_positions")
    if length < 1:
        raise AddingError(
            f"config.json of {folder.name} does not tell its context: give --context TOKENS."
        )
    return length


def _kv_values(config: Json) -> int:
    heads = _number(config, "num_attention_heads")
    size = _number(config, "head_dim") or _number(config, "hidden_size") // max(heads, 1)
    kv_heads = _number(config, "num_key_value_heads") or heads
    return 2 * _number(config, "num_hidden_layers") * kv_heads * size


def _number(config: Json, name: str) -> int:
    """Return a number of the configuration; 0 when it is not there or null."""
    value = config.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise AddingError(f"{name} in config.json is not a whole number.")
    return value


def _weight_files(folder: Path) -> Sequence[Path]:
    if (folder / _INDEX).is_file():
        names = _shards(_json(folder / _INDEX).get("weight_map"))
    else:
        names = [path.name for path in sorted(folder.glob("*.safetensors"))]
    if not names:
        raise AddingError(f"{folder.name} has no weights in .safetensors files.")
    for name in names:
        if not (folder / name).is_file():
            raise AddingError(f"{folder.name} is not whole: {name} is missing.")
    return [folder / name for name in names]


def _shards(weight_map: object) -> Sequence[str]:
    """Return the names of the files with the weights, which lie beside their index."""
    if not isinstance(weight_map, Mapping) or not all(
        isinstance(name, str) and name == Path(name).name for name in weight_map.values()
    ):
        raise AddingError(f"{_INDEX} does not tell in which files the weights are.")
    return sorted(set(weight_map.values()))


def _weights(path: Path) -> tuple[int, int]:
    """Return how many parameters a safetensors file holds, and its size in bytes."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if not 0 < length <= min(size, _MAX_HEADER_BYTES):
            raise AddingError(f"{path.name} is no safetensors file.")
        raw = file.read(length)
    try:
        tensors = [value for key, value in json.loads(raw).items() if key != "__metadata__"]
        end = max((tensor["data_offsets"][1] for tensor in tensors), default=0)
        count = int(sum(prod(tensor["shape"]) for tensor in tensors))
        needed = _LENGTH_BYTES + length + int(end)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise AddingError(f"{path.name} is no safetensors file.") from error
    if size < needed:
        raise AddingError(f"{path.name} is truncated: {size} bytes of {needed} are there.")
    return count, size


def _json(path: Path, *, is_needed: bool = True) -> Json:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if is_needed:
            raise AddingError(f"{path.parent.name} has no {path.name}.") from None
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise AddingError(f"{path.name} of {path.parent.name} cannot be read: {error}.") from error
    if not isinstance(content, Mapping):
        raise AddingError(f"{path.name} of {path.parent.name} is not a JSON object.")
    return content


def _ids(value: object) -> list[int]:
    listed = value if isinstance(value, list) else [value]
    return [each for each in listed if isinstance(each, int) and not isinstance(each, bool)]
