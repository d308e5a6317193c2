"""Kubernetes manifests: their schemas, unknown fields refused, and their overlays."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

FOLDER = Path(__file__).parents[3] / "docker" / "kubernetes"
VERSION = "1.37"
# Kinds of Kustomize and of the Prometheus operator: the tool has no schema of them.
WITHOUT_SCHEMA = {"Kustomization", "ServiceMonitor"}
PATCHES = sorted(FOLDER.glob("[cg]pu/triton.yaml"))


def documents(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text()))


def manifests() -> Iterator[Any]:
    for path in sorted(FOLDER.rglob("*.yaml")):
        if path not in PATCHES:
            yield from (each for each in documents(path) if each["kind"] not in WITHOUT_SCHEMA)


def merged(below: Any, above: Any) -> Any:
    """What Kustomize makes of a patch, as far as ours go: lists of named things by their names."""
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {key: merged(below.get(key), value) for key, value in above.items()}
    if isinstance(below, list) and all("name" in each for each in [*below, *above]):
        named = {each["name"]: each for each in below}
        return list((named | {e["name"]: merged(named.get(e["name"]), e) for e in above}).values())
    return above


@pytest.mark.parametrize("manifest", list(manifests()), ids=lambda each: each["kind"])
def test_a_manifest_conforms_strictly(manifest: Any) -> None:
    kubernetes_validate.validate(manifest, VERSION, strict=True)


@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: path.parent.name)
def test_triton_patched_for_an_overlay_conforms_strictly(patch: Path) -> None:
    triton = documents(FOLDER / "base" / "triton.yaml")[0]

    patched = merged(triton, documents(patch)[0])

    kubernetes_validate.validate(patched, VERSION, strict=True)
    assert patched["spec"]["template"]["spec"]["containers"][0]["image"] == "conch-triton"


def test_an_unknown_field_would_be_found() -> None:
    broken = documents(FOLDER / "base" / "frontend.yaml")[0]
    broken["spec"]["replica"] = 2

    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(broken, VERSION, strict=True)


@pytest.mark.parametrize("path", sorted(FOLDER.parent.rglob("kustomization.yaml")), ids=str)
def test_what_kustomize_reads_exists(path: Path) -> None:
    (wanted,) = documents(path)
    files = [name for each in wanted.get("configMapGenerator", ()) for name in each["files"]]
    patches = [each["path"] for each in wanted.get("patches", ())]

    for name in [*wanted.get("resources", ()), *files, *patches]:
        assert (path.parent / name).exists(), name
