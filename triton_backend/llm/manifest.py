"""engine.json: what a version folder of a served model contains.

Written by the build scripts, read at load. Reading is strict: a missing or unknown key, or a
value of another type, refuses the model, so that a typing error never becomes a default.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Final

from .errors import LoadError
from .json_values import JsonValue
from .strict_json import (
    Table,
    count,
    counts,
    free_table,
    optional_text,
    table,
    text,
    text_table,
    texts,
)

FILE_NAME: Final = "engine.json"
CAPABILITIES: Final = frozenset(
    {
        "n", "seed", "top_k", "min_p", "repetition_penalty", "presence_penalty",
        "frequency_penalty", "min_tokens", "ignore_eos", "log_probs", "top_log_probs",
        "logit_bias", "json", "json_schema", "regex", "ebnf_grammar", "prefix_cache", "lora",
    }
)  # fmt: skip
ENGINE: Final = "engine"
CHECKPOINT: Final = "checkpoint"
_TOOL_FORMATS: Final = (None, "hermes", "llama3_json")
_REASONING_FORMATS: Final = (None, "think")
_OPTIONAL: Final = ("files", "build")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where the weights came from; `files` maps a name to its SHA-256."""

    repository: str
    revision: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GpuBuild:
    """How, and for which GPU, it was built.

    kind: ENGINE (compiled for one architecture) or CHECKPOINT (weights that TensorRT-LLM's
    PyTorch flow loads). sm: the architecture, 90 for Hopper; runs_on: all it runs on.
    memory_bytes: what each GPU must have free. arguments: build_engine's, to build it again.
    """

    kind: str
    gpu: str
    sm: int
    runs_on: tuple[int, ...]
    memory_bytes: int
    tensor_parallel: int
    pipeline_parallel: int
    tensorrt_llm: str
    tensorrt: str
    driver: str
    container: str
    flags: Mapping[str, str]
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EngineManifest:
    """The content of engine.json; `created` is in Unix seconds.

    files: SHA-256 of what the engine reads, by path in the version folder; checked at load.
    build: for engines of a GPU.
    """

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
    files: Mapping[str, str] = field(default_factory=dict)
    build: GpuBuild | None = None


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
    """The manifest as the text of engine.json; optional keys only where there is something."""
    content = asdict(manifest)
    return json.dumps(
        {key: value for key, value in content.items() if value or key not in _OPTIONAL}, indent=2
    )


def parse_manifest(content: JsonValue) -> EngineManifest:
    """A checked manifest; TypeError or ValueError names the key and the fault."""
    found = table(content, "the file", _keys(EngineManifest), _OPTIONAL)
    manifest = EngineManifest(
        engine=text(found, "engine"),
        capabilities=tuple(texts(found, "capabilities")),
        context_length=count(found, "context_length"),
        eos_token_ids=tuple(counts(found, "eos_token_ids")),
        chat_template=optional_text(found, "chat_template"),
        tool_format=optional_text(found, "tool_format"),
        reasoning_format=optional_text(found, "reasoning_format"),
        quantization=text(found, "quantization"),
        created=count(found, "created"),
        source=_source(table(found["source"], "source", _keys(ModelSource))),
        options=free_table(found, "options"),
        files=text_table(found, "files") if "files" in found else {},
        build=_build(table(found["build"], "build", _keys(GpuBuild))) if "build" in found else None,
    )
    _check_words(manifest)
    return manifest


def _source(found: Table) -> ModelSource:
    return ModelSource(
        repository=text(found, "repository"),
        revision=text(found, "revision"),
        files=text_table(found, "files"),
    )


def _build(found: Table) -> GpuBuild:
    return GpuBuild(
        kind=text(found, "kind"),
        gpu=text(found, "gpu"),
        sm=count(found, "sm"),
        runs_on=tuple(counts(found, "runs_on")),
        memory_bytes=count(found, "memory_bytes"),
        tensor_parallel=count(found, "tensor_parallel"),
        pipeline_parallel=count(found, "pipeline_parallel"),
        tensorrt_llm=text(found, "tensorrt_llm"),
        tensorrt=text(found, "tensorrt"),
        driver=text(found, "driver"),
        container=text(found, "container"),
        flags=text_table(found, "flags"),
        arguments=tuple(texts(found, "arguments")),
    )


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
    if outside := sorted(filter(_leads_out, manifest.files)):
        raise ValueError(f"files: {outside[0]!r} is not a path inside the folder")
    if manifest.build is not None:
        _check_build(manifest.build)


def _check_build(build: GpuBuild) -> None:
    if build.kind not in (ENGINE, CHECKPOINT):
        raise ValueError(f"kind: unknown {build.kind!r}")
    if build.tensor_parallel < 1 or build.pipeline_parallel < 1:
        raise ValueError("tensor_parallel and pipeline_parallel: must be at least 1")


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts


def _keys(kind: type[EngineManifest] | type[ModelSource] | type[GpuBuild]) -> set[str]:
    return {one.name for one in fields(kind)}
