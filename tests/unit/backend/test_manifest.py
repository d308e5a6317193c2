"""engine.json, read strictly."""

import json
from pathlib import Path

import pytest

from triton_backend.llm.errors import LoadError
from triton_backend.llm.json_values import JsonValue
from triton_backend.llm.manifest import (
    EngineManifest,
    ModelSource,
    manifest_json,
    read_manifest,
    write_manifest,
)

MANIFEST = EngineManifest(
    engine="simulated",
    capabilities=("n", "seed"),
    context_length=128,
    eos_token_ids=(2, 0),
    chat_template="chat_template.jinja",
    tool_format=None,
    reasoning_format="think",
    quantization="int8",
    created=1_800_000_000,
    source=ModelSource("conch/demo", "1", {"model.safetensors": "abc"}),
    options={"token_ms": 1.5},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    version = tmp_path / "mine" / "1"
    version.mkdir(parents=True)
    return version


def test_what_is_written_is_read(folder: Path) -> None:
    write_manifest(folder, MANIFEST)

    assert read_manifest(folder) == MANIFEST


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("engine", 1, "engine must be"),
        ("engine", "", "engine must be"),
        ("capabilities", "n", "capabilities must be"),
        ("capabilities", ["fly"], "unknown fly"),
        ("context_length", 0, "context_length"),
        ("context_length", 1.5, "context_length"),
        ("context_length", True, "context_length"),
        ("eos_token_ids", [-1], "eos_token_ids"),
        ("eos_token_ids", 2, "eos_token_ids"),
        ("tool_format", "morse", "morse"),
        ("reasoning_format", "aloud", "aloud"),
        ("source", {}, "source lacks files, repository, revision"),
        ("source", [], "source must be an object"),
        ("options", [], "options must be"),
        ("surprise", 1, "unknown key surprise"),
    ],
)
def test_a_wrong_value_refuses_the_model_by_key(
    folder: Path, key: str, value: JsonValue, fault: str
) -> None:
    content = json.loads(manifest_json(MANIFEST)) | {key: value}
    (folder / "engine.json").write_text(json.dumps(content), encoding="utf-8")

    with pytest.raises(LoadError, match=fault) as caught:
        read_manifest(folder)

    assert str(caught.value).startswith("mine: engine.json")


@pytest.mark.parametrize("content", [None, "{", "[]", "[" * 100_000])
def test_a_missing_or_broken_file_is_one_sentence(folder: Path, content: str | None) -> None:
    if content is not None:
        (folder / "engine.json").write_text(content, encoding="utf-8")

    with pytest.raises(LoadError, match=r"^mine: engine\.json"):
        read_manifest(folder)


def test_a_missing_key_is_named(folder: Path) -> None:
    content = json.loads(manifest_json(MANIFEST))
    del content["quantization"]
    (folder / "engine.json").write_text(json.dumps(content), encoding="utf-8")

    with pytest.raises(LoadError, match="lacks quantization"):
        read_manifest(folder)
