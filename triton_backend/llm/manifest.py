"""engine.json: what a version folder of a served model contains.

Written by the build scripts, read at load. Reading is strict: a missing or unknown key, or a
value of another type, refuses the model, so that a typing error never becomes a default.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from .errors import LoadError
from .json_values import JsonValue

FILE_NAME: Final = "engine.json"
CAPABILITIES: Final = frozenset(
    {
        "n", "seed", "top_k", "min_p", "repetition_penalty", "presence_penalty",
        "frequency_penalty", "min_tokens", "ignore_eos", "log_probs", "top_log_probs",
        "logit_bias", "json", "json_schema", "regex", "ebnf_grammar", "prefix_cache", "lora",
    }
)  # fmt: skip
_TOOL_FORMATS: Final = (None, "hermes", "llama3_json")
_REASONING_FORMATS: Final = (None, "think")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where the weights came from; `files` maps a name to its SHA-256."""

    repository: str
    revision: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EngineManifest:
    """The content of engine.json; `created` is in Unix seconds."""

    engine: str
    capabilities: tuple[str, ...]
    context_length: int
    eos_token_ids: tuple[int, ...]
    chat_template: str | None
    tool_format: str | None
    reasoning_format: str | None
    quantization: str
    created: int
    source: ModelSource
    options: Mapping[str, JsonValue]


def read_manifest(folder: Path) -> EngineManifest:
    """The manifest of a version folder; LoadError says what is wrong in one sentence."""
    path = folder / FILE_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LoadError(f"{folder.parent.name}: {FILE_NAME} is missing.") from None
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{folder.parent.name}: {FILE_NAME} is not JSON: {error}.") from error
    try:
        return parse_manifest(content)
    except (TypeError, ValueError) as error:
        raise LoadError(f"{folder.parent.name}: {FILE_NAME}: {error}.") from error


def write_manifest(folder: Path, manifest: EngineManifest) -> None:
    """Write engine.json into a version folder."""
    (folder / FILE_NAME).write_text(manifest_json(manifest) + "\n", encoding="utf-8")


def manifest_json(manifest: EngineManifest) -> str:
    """The manifest as the text of engine.json."""
    return json.dumps(asdict(manifest), indent=2)


def parse_manifest(content: JsonValue) -> EngineManifest:
    """A checked manifest; TypeError or ValueError names the key and the fault."""
    table = _table(content, "the file", {field.name for field in fields(EngineManifest)})
    source = _table(table["source"], "source", {field.name for field in fields(ModelSource)})
    manifest = EngineManifest(
        engine=_text(table, "engine"),
        capabilities=tuple(_texts(table, "capabilities")),
        context_length=_count(table, "context_length"),
        eos_token_ids=tuple(_ids(table, "eos_token_ids")),
        chat_template=_optional_text(table, "chat_template"),
        tool_format=_optional_text(table, "tool_format"),
        reasoning_format=_optional_text(table, "reasoning_format"),
        quantization=_text(table, "quantization"),
        created=_count(table, "created"),
        source=ModelSource(
            repository=_text(source, "repository"),
            revision=_text(source, "revision"),
            files=_text_table(source, "files"),
        ),
        options=_options(table),
    )
    _check_words(manifest)
    return manifest


def _check_words(manifest: EngineManifest) -> None:
    unknown = sorted(set(manifest.capabilities) - CAPABILITIES)
    if unknown:
        raise ValueError(f"capabilities: unknown {', '.join(unknown)}")
    if manifest.tool_format not in _TOOL_FORMATS:
        raise ValueError(f"tool_format: unknown {manifest.tool_format!r}")
    if manifest.reasoning_format not in _REASONING_FORMATS:
        raise ValueError(f"reasoning_format: unknown {manifest.reasoning_format!r}")
    if manifest.context_length < 1:
        raise ValueError("context_length: must be at least 1")


def _table(value: JsonValue, name: str, keys: set[str]) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise TypeError(f"{name} must be an object")
    if missing := sorted(keys - value.keys()):
        raise ValueError(f"{name} lacks {', '.join(missing)}")
    if unknown := sorted(value.keys() - keys):
        raise ValueError(f"{name} has the unknown key {', '.join(unknown)}")
    return value


def _text(table: Mapping[str, JsonValue], key: str) -> str:
    value = table[key]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{key} must be a non-empty string")
    return value


def _optional_text(table: Mapping[str, JsonValue], key: str) -> str | None:
    return None if table[key] is None else _text(table, key)


def _count(table: Mapping[str, JsonValue], key: str) -> int:
    value = table[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{key} must be a whole number")
    return value


def _texts(table: Mapping[str, JsonValue], key: str) -> list[str]:
    value = table[key]
    if not isinstance(value, list):
        raise TypeError(f"{key} must be a list of strings")
    return [_text({key: item}, key) for item in value]


def _ids(table: Mapping[str, JsonValue], key: str) -> list[int]:
    value = table[key]
    if not isinstance(value, list):
        raise TypeError(f"{key} must be a list of whole numbers")
    return [_count({key: item}, key) for item in value]


def _text_table(table: Mapping[str, JsonValue], key: str) -> dict[str, str]:
    value = table[key]
    if not isinstance(value, dict):
        raise TypeError(f"{key} must be an object of strings")
    return {name: _text(value, name) for name in value}


def _options(table: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    value = table["options"]
    if not isinstance(value, dict):
        raise TypeError("options must be an object")
    return value
