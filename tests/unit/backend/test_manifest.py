"""engine.json, read strictly."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from triton_backend.llm.errors import LoadError
from triton_backend.llm.json_values import JsonValue
from triton_backend.llm.manifest import (
    ENGINE,
    EngineManifest,
    GpuBuild,
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

BUILD = GpuBuild(
    kind=ENGINE,
    gpu="NVIDIA L4",
    sm=89,
    runs_on=(89,),
    memory_bytes=1,
    tensor_parallel=2,
    pipeline_parallel=1,
    tensorrt_llm="1.2.1",
    tensorrt="10.14.1.48",
    driver="590.44",
    container="an image",
    flags={"qformat": "fp8"},
    arguments=("--target", "tensorrt-llm"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    version = tmp_path / "mine" / "1"
    version.mkdir(parents=True)
    return version


def test_what_is_written_is_read(folder: Path) -> None:
    write_manifest(folder, MANIFEST)

    assert read_manifest(folder) == MANIFEST


def test_hashes_and_the_build_are_read_where_there_are_any(folder: Path) -> None:
    built = replace(MANIFEST, files={"engine/rank0.engine": "abc"}, build=BUILD)

    write_manifest(folder, built)

    assert read_manifest(folder) == built
    assert "build" not in json.loads(manifest_json(MANIFEST))


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("kind", "sketch", "unknown 'sketch'"),
        ("sm", "sm89", "sm must be"),
        ("runs_on", 89, "runs_on must be"),
        ("tensor_parallel", 0, "at least 1"),
        ("flags", [], "flags must be"),
        ("surprise", 1, "build has the unknown key surprise"),
    ],
)
def test_a_wrong_value_of_the_build_refuses_the_model(
    folder: Path, key: str, value: JsonValue, fault: str
) -> None:
    build = asdict(BUILD) | {key: value}
    content = json.loads(manifest_json(MANIFEST)) | {"build": build}
    (folder / "engine.json").write_text(json.dumps(content), encoding="utf-8")

    with pytest.raises(LoadError, match=fault):
        read_manifest(folder)


@pytest.mark.parametrize("name", ["/etc/passwd", "../other/1/model.bin"])
def test_hashes_of_files_elsewhere_are_refused(folder: Path, name: str) -> None:
    write_manifest(folder, replace(MANIFEST, files={name: "abc"}))

    with pytest.raises(LoadError, match="not a path inside the folder"):
        read_manifest(folder)


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
