"""Writes what Triton and the backend read of a model: config.pbtxt, engine.json, the template."""

import json
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from scripts.adding.errors import AddingError
from scripts.adding.inspection import Facts, reasoning_format, tool_format
from scripts.adding.planning import Plan
from scripts.adding.sources import Source
from triton_backend.llm.engines.openvino import CAPABILITIES
from triton_backend.llm.integrity import sha256_of
from triton_backend.llm.manifest import EngineManifest, ModelSource, write_manifest

ENGINE_FILES: Final = (
    "openvino_model.xml",
    "openvino_model.bin",
    "openvino_tokenizer.xml",
    "openvino_tokenizer.bin",
    "openvino_detokenizer.xml",
    "openvino_detokenizer.bin",
    "tokenizer.json",
)
# Beside them when the model has them: OpenVINO and the template's special tokens.
_FURTHER_FILES: Final = ("config.json", "generation_config.json", "tokenizer_config.json")
TEMPLATE: Final = "chat_template.jinja"
CONFIG: Final = """\
backend: "llm"
max_batch_size: 1
model_transaction_policy { decoupled: true }
instance_group [ { kind: KIND_CPU, count: 1 } ]
"""


def write_model(folder: Path, made: Path, source: Source, facts: Facts, plan: Plan) -> Path:
    """Put the model together in `folder` from what was compiled; return its version folder.

    Raises AddingError when a compiled file is missing.
    """
    version = folder / "1"
    version.mkdir()
    for name in ENGINE_FILES:
        if not (made / name).is_file():
            raise AddingError(f"{source.path.name} has no {name}.")
    _move((made / name for name in (*ENGINE_FILES, *_FURTHER_FILES)), version)
    if facts.chat_template:
        (version / TEMPLATE).write_text(facts.chat_template, encoding="utf-8")
    generation = version / "generation_config.json"
    if not generation.exists():
        generation.write_text(json.dumps({"eos_token_id": list(facts.eos_token_ids)}))
    (folder / "config.pbtxt").write_text(CONFIG, encoding="utf-8")
    write_manifest(version, _manifest(version, source, facts, plan))
    return version


def _move(paths: Iterable[Path], version: Path) -> None:
    for path in paths:
        if path.is_file():
            shutil.move(path, version / path.name)


def _manifest(version: Path, source: Source, facts: Facts, plan: Plan) -> EngineManifest:
    template = facts.chat_template
    hashes = sha256_of(version, list(ENGINE_FILES))
    return EngineManifest(
        engine="openvino",
        capabilities=tuple(sorted(CAPABILITIES)),
        context_length=plan.context_length,
        eos_token_ids=facts.eos_token_ids,
        chat_template=TEMPLATE if template else None,
        tool_format=tool_format(template),
        reasoning_format=reasoning_format(template),
        quantization=plan.quantization,
        created=int(time.time()),
        source=ModelSource(
            repository=source.repository,
            revision=source.revision,
            files=hashes,
        ),
        files=hashes,
        options={"cache_size_gb": plan.cache_gb, "max_num_seqs": plan.max_sequences},
    )
