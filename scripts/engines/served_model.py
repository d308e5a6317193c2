"""Writes what Triton and the backend read of a model that was built for a GPU."""

import json
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from scripts.adding.errors import AddingError
from scripts.adding.inspection import reasoning_format, tool_format
from scripts.adding.sources import Source
from scripts.engines.memory import CACHE_FRACTION
from scripts.engines.source_model import SourceModel
from triton_backend.llm.engines.tensorrt_llm_options import (
    ADAPTER_FOLDER,
    ENGINE_FOLDER,
    capabilities,
    read_settings,
)
from triton_backend.llm.integrity import sha256_of
from triton_backend.llm.json_values import JsonValue
from triton_backend.llm.manifest import (
    ENGINE,
    EngineManifest,
    GpuBuild,
    ModelSource,
    write_manifest,
)

TEMPLATE: Final = "chat_template.jinja"
# What the tokenizer and the PyTorch flow read beside the weights.
_SMALL_FILES: Final = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "tokenizer.model", "vocab.json", "merges.txt", "added_tokens.json",
)  # fmt: skip
# One instance: a model takes all its GPUs itself, the first of them is only named for Triton.
CONFIG: Final = """\
backend: "llm"
max_batch_size: 1
model_transaction_policy { decoupled: true }
instance_group [ { kind: KIND_GPU, count: 1, gpus: [ 0 ] } ]
"""
# The PyTorch flow's arguments that every version since 1.0 has; the engine checks it at load.
_PYTORCH_ARGUMENTS: Final = frozenset({"sampler_type"})


@dataclass(frozen=True, slots=True)
class Built:
    """What was built, where it lies, and what is known of it; `adapters` are LoRA's folders."""

    made: Path
    source: Source
    model: SourceModel
    build: GpuBuild
    context_length: int
    quantization: str
    limits: Mapping[str, JsonValue]
    adapters: tuple[Path, ...]


def write_model(folder: Path, built: Built) -> None:
    """Put the model together in `folder` from what was built; AddingError if a part is missing."""
    version = folder / "1"
    version.mkdir()
    if built.build.kind == ENGINE:
        _check_engine(built.made, built.build)
        shutil.move(built.made, version / ENGINE_FOLDER)
    else:
        for path in built.made.iterdir():
            shutil.move(path, version / path.name)
    for name in _SMALL_FILES:
        if (built.model.folder / name).is_file() and not (version / name).exists():
            shutil.copyfile(built.model.folder / name, version / name)
    for adapter in built.adapters:
        shutil.copytree(adapter, version / ADAPTER_FOLDER / adapter.name)
    if built.model.facts.chat_template:
        (version / TEMPLATE).write_text(built.model.facts.chat_template, encoding="utf-8")
    (folder / "config.pbtxt").write_text(CONFIG, encoding="utf-8")
    write_manifest(version, _manifest(version, built))


def _check_engine(made: Path, build: GpuBuild) -> None:
    """Raise AddingError unless every rank is there, built by the version that is to serve it."""
    try:
        version = json.loads((made / "config.json").read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError) as error:
        raise AddingError("trtllm-build left no readable config.json.") from error
    if version != build.tensorrt_llm:
        raise AddingError(
            f"The engine was built by TensorRT-LLM {version}, not {build.tensorrt_llm}: give"
            f" --tensorrt-llm {version}."
        )
    for rank in range(build.tensor_parallel * build.pipeline_parallel):
        if not (made / f"rank{rank}.engine").is_file():
            raise AddingError(f"trtllm-build left no rank{rank}.engine.")


def _manifest(version: Path, built: Built) -> EngineManifest:
    model, template = built.model, built.model.facts.chat_template
    manifest = EngineManifest(
        engine="tensorrt_llm",
        capabilities=(),
        context_length=built.context_length,
        eos_token_ids=model.facts.eos_token_ids,
        chat_template=TEMPLATE if template else None,
        tool_format=tool_format(template),
        reasoning_format=reasoning_format(template),
        quantization=built.quantization,
        created=int(time.time()),
        source=ModelSource(
            built.source.repository, built.source.revision, files=_source_hashes(model.folder)
        ),
        options={**built.limits, "kv_cache_fraction": CACHE_FRACTION},
        files=sha256_of(version, sorted(_engine_files(version))),
        build=built.build,
    )
    return replace(manifest, capabilities=_capabilities(version, manifest, built.build))


def _source_hashes(folder: Path) -> dict[str, str]:
    weights = sorted(path.name for path in folder.glob("*.safetensors"))
    return sha256_of(folder, ["config.json", "tokenizer.json", *weights])


def _engine_files(version: Path) -> Iterable[str]:
    return (str(path.relative_to(version)) for path in version.rglob("*") if path.is_file())


def _capabilities(version: Path, manifest: EngineManifest, build: GpuBuild) -> tuple[str, ...]:
    """What the engine will offer; min_tokens only where a single token ends an answer."""
    options, shape = read_settings(version, manifest, build)
    found = capabilities(build, options, shape, _PYTORCH_ARGUMENTS)
    if len(manifest.eos_token_ids) > 1:
        found -= {"min_tokens"}
    return tuple(sorted(found))
