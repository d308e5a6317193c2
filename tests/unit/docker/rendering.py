"""What Kustomize makes of a folder, as far as ours go; whatever else it may hold is refused.

https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/ has the rules. Names of
generated ConfigMaps get no hash here.
"""

from pathlib import Path
from typing import Any

import yaml

KNOWN = {
    *("apiVersion", "kind", "namespace", "nameSuffix", "resources", "components", "patches"),
    *("images", "configMapGenerator", "generatorOptions"),
}
# By what Kubernetes tells the members of a list apart; other lists are replaced as a whole.
MERGE_KEYS = {
    **dict.fromkeys(("containers", "env", "volumes"), "name"),
    "volumeMounts": "mountPath",
    "ports": "containerPort",
}


def documents(path: Path) -> list[Any]:
    """The documents of a YAML file."""
    return list(yaml.safe_load_all(path.read_text()))


def render(folder: Path) -> list[Any]:
    """The resources of a folder with a Kustomization."""
    (wanted,) = documents(folder / "kustomization.yaml")
    return _rendered(folder, wanted, [])


def render_text(text: str, folder: Path) -> list[Any]:
    """The resources of a Kustomization that would lie in this folder."""
    return _rendered(folder, yaml.safe_load(text), [])


def _rendered(folder: Path, wanted: dict[str, Any], given: list[Any]) -> list[Any]:
    assert wanted.keys() <= KNOWN, wanted.keys() - KNOWN
    found = list(given)
    for name in wanted.get("resources", ()):
        found += render(folder / name) if (folder / name).is_dir() else documents(folder / name)
    found += _generated(folder, wanted)
    for name in wanted.get("components", ()):
        (component,) = documents(folder / name / "kustomization.yaml")
        assert component["kind"] == "Component"
        found = _rendered(folder / name, component, found)
    for patch in wanted.get("patches", ()):
        found = _patched(found, folder / patch["path"])
    _rename(found, wanted)
    names = [(each["kind"], each["metadata"]["name"]) for each in found]
    assert len(names) == len({*names}), names
    return found


def _generated(folder: Path, wanted: dict[str, Any]) -> list[Any]:
    options = wanted.get("generatorOptions", {})
    about = {key: options[key] for key in ("labels", "annotations") if key in options}
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": each["name"], **about},
            "data": {Path(name).name: (folder / name).read_text() for name in each["files"]},
        }
        for each in wanted.get("configMapGenerator", ())
    ]


def _patched(found: list[Any], path: Path) -> list[Any]:
    (patch,) = documents(path)
    (target,) = [each for each in found if _identity(each) == _identity(patch)]
    others = [each for each in found if each is not target]
    return others if patch.get("$patch") == "delete" else [*others, merged(target, patch)]


def _identity(resource: Any) -> tuple[str, str, str]:
    return resource["apiVersion"], resource["kind"], resource["metadata"]["name"]


def merged(below: Any, above: Any, key: str = "") -> Any:
    """A strategic merge: mappings by their keys, lists of named things by their names."""
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {name: merged(below.get(name), above[name], name) for name in above}
    if key in MERGE_KEYS and below:
        by = MERGE_KEYS[key]
        named = {each[by]: each for each in below}
        return [*(named | {each[by]: merged(named.get(each[by]), each) for each in above}).values()]
    return above


def _rename(found: list[Any], wanted: dict[str, Any]) -> None:
    images = {each["name"]: each["newName"] for each in wanted.get("images", ())}
    for resource in found:
        about = resource["metadata"]
        about["name"] += wanted.get("nameSuffix", "")
        if "namespace" in wanted and resource["kind"] != "Namespace":
            about["namespace"] = wanted["namespace"]
        for container in containers(resource):
            container["image"] = images.get(container.get("image"), container.get("image"))


def containers(resource: Any) -> list[Any]:
    """Every container of every pod template in a resource."""
    return [each for template in pod_templates(resource) for each in template["spec"]["containers"]]


def pod_templates(resource: Any) -> list[Any]:
    """Every pod template in a resource, however deep."""
    if isinstance(resource, list):
        return [found for each in resource for found in pod_templates(each)]
    if not isinstance(resource, dict):
        return []
    if "containers" in resource.get("spec", {}) and resource.get("kind") != "Pod":
        return [resource]
    return [found for each in resource.values() for found in pod_templates(each)]
