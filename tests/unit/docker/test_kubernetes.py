"""Kubernetes: every overlay rendered; schemas with unknown fields refused; what hangs together."""

import copy
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from frontend_api.settings import load_settings
from tests.unit.docker.custom_resources import SPECS
from tests.unit.docker.rendering import containers, documents, pod_templates, render, render_text

FOLDER = Path(__file__).parents[3] / "docker" / "kubernetes"
PROMETHEUS = FOLDER.parent / "prometheus"
VERSION = "1.37"
# An overlay as docs/deployment.md has it, with everything that there is.
WHOLE = "resources: [../gpu, ../monitoring]\ncomponents: [../mongodb]\n"
OVERLAYS = [
    *("cpu", "gpu", "multi-node", "monitoring", "whole"),
    *sorted(f"engines/{path.parent.name}" for path in FOLDER.glob("engines/[!b]*/job.yaml")),
]
# Made by whoever deploys, or by the operator: docs/deployment.md.
SECRETS_OF_OTHERS = {
    *("conch-settings", "triton-ssh", "hugging-face", "mongodb-conch-password"),
    "mongodb-conch-address",
}
each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@cache
def rendered(overlay: str) -> list[Any]:
    return render_text(WHOLE, FOLDER / "cpu") if overlay == "whole" else render(FOLDER / overlay)


def check(resource: Any) -> None:
    """Raise ValidationError for what does not conform, in the resource or in its pods."""
    spec = SPECS.get((resource["apiVersion"], resource["kind"]))
    if spec is None:
        kubernetes_validate.validate(resource, VERSION, strict=True)
        return
    jsonschema.validate(resource["spec"], spec)
    template = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": resource["metadata"]}
    for pod in pod_templates(resource):
        kubernetes_validate.validate({**template, "template": pod}, VERSION, strict=True)


def of_kind(resources: list[Any], kind: str) -> list[Any]:
    return [each for each in resources if each["kind"] == kind]


def matched(resources: list[Any], selector: dict[str, str]) -> list[Any]:
    """The pod templates that a selector finds."""
    return [
        pod
        for pod in pod_templates(resources)
        if selector.items() <= pod.get("metadata", {}).get("labels", {}).items()
    ]


@each_overlay
def test_everything_in_an_overlay_conforms_strictly(overlay: str) -> None:
    resources = rendered(overlay)

    assert resources
    for resource in resources:
        check(resource)
        assert resource["kind"] == "Namespace" or resource["metadata"]["namespace"] == "conch"


@pytest.mark.parametrize("kind", ["Deployment", "LeaderWorkerSet", "MongoDBCommunity"])
def test_an_unknown_field_would_be_found(kind: str) -> None:
    resource = copy.deepcopy(of_kind([*rendered("whole"), *rendered("multi-node")], kind)[0])
    check(resource)

    resource["spec"]["replica"] = 2

    with pytest.raises((kubernetes_validate.ValidationError, jsonschema.ValidationError)) as caught:
        check(resource)
    assert "replica" in str(caught.value)


def test_an_unknown_field_in_a_pod_of_an_operator_would_be_found() -> None:
    (resource,) = copy.deepcopy(of_kind(rendered("multi-node"), "LeaderWorkerSet"))
    containers(resource)[1]["cmd"] = ["sh"]

    with pytest.raises(kubernetes_validate.ValidationError, match="cmd"):
        check(resource)


def test_every_manifest_is_part_of_an_overlay() -> None:
    seen = str([rendered(overlay) for overlay in OVERLAYS])

    paths = [path for path in FOLDER.rglob("*.yaml") if path.name != "kustomization.yaml"]
    names = {each["metadata"]["name"] for path in paths for each in documents(path)}

    assert len(paths) > 15
    assert [name for name in names if f"'name': '{name}" not in seen] == []


@each_overlay
def test_what_pods_mount_and_read_is_there(overlay: str) -> None:
    resources = rendered(overlay)
    maps = {each["metadata"]["name"] for each in of_kind(resources, "ConfigMap")}
    text = str(resources)

    for pod in pod_templates(resources):
        volumes = {each["name"]: each for each in pod["spec"].get("volumes", ())}
        mounted = {
            m["name"] for each in pod["spec"]["containers"] for m in each.get("volumeMounts", ())
        }
        assert mounted <= volumes.keys()
        assert {
            each["configMap"]["name"] for each in volumes.values() if "configMap" in each
        } <= maps
    assert {*re.findall(r"'secretName': '([^']+)'", text)} <= SECRETS_OF_OTHERS
    for found in re.findall(r"'secretKeyRef': \{'name': '([^']+)'", text):
        assert found in SECRETS_OF_OTHERS


@pytest.mark.parametrize("overlay", ["cpu", "gpu", "multi-node", "whole"])
def test_what_selects_pods_finds_some(overlay: str) -> None:
    resources = rendered(overlay)
    selectors = [each["spec"]["selector"] for each in of_kind(resources, "Service")]
    budgets = of_kind(resources, "PodDisruptionBudget")
    selectors += [each["spec"]["selector"]["matchLabels"] for each in budgets]
    policies = of_kind(resources, "NetworkPolicy")
    selectors += [each["spec"]["podSelector"]["matchLabels"] for each in policies]

    # MongoDB's pods get their label from its operator.
    ours = [each for each in selectors if each != {"app": "mongodb-svc"}]

    assert len(ours) >= 8
    assert [each for each in ours if not matched(resources, each)] == []
    (scaler,) = of_kind(resources, "HorizontalPodAutoscaler")
    target = scaler["spec"]["scaleTargetRef"]
    assert target["name"] in {e["metadata"]["name"] for e in of_kind(resources, target["kind"])}


@each_overlay
def test_a_named_port_is_one_of_the_containers(overlay: str) -> None:
    resources = rendered(overlay)

    for container in containers(resources):
        named = {each["name"] for each in container.get("ports", ())}
        used = re.findall(r"'port': '(\w+)'", str(container))
        assert {*used} <= named
    for service in of_kind(resources, "Service"):
        for pod in matched(resources, service["spec"]["selector"]):
            ports = {p["name"] for each in pod["spec"]["containers"] for p in each["ports"]}
            assert {each["targetPort"] for each in service["spec"]["ports"]} <= ports


@each_overlay
def test_every_image_of_ours_is_one_that_is_built(overlay: str) -> None:
    built = {f"conch-{name}" for name in ("frontend", "triton-cpu", "triton-gpu")}
    built |= {"conch-triton-gpu-build", "conch-triton-gpu-nodes"}

    images = {each["image"] for each in containers(rendered(overlay)) if each.get("image")}

    assert {each for each in images if each.startswith("conch")} <= built


@pytest.mark.parametrize("overlay", ["cpu", "multi-node"])
def test_a_pod_that_goes_has_time_for_what_it_does_before_its_end(overlay: str) -> None:
    for pod in pod_templates(rendered(overlay)):
        values = {
            e["name"]: e.get("value", "")
            for c in pod["spec"]["containers"]
            for e in c.get("env", ())
        }
        drain = values.get("CONCH_SERVER__DRAIN_TIMEOUT_S") or values.get("EXIT_TIMEOUT_S") or "300"
        hooks = [each["lifecycle"]["preStop"] for each in pod["spec"]["containers"]]
        pause = max(each.get("sleep", {}).get("seconds", 5) for each in hooks)

        assert pod["spec"]["terminationGracePeriodSeconds"] > int(drain) + pause


def test_the_api_takes_the_settings_it_is_given() -> None:
    (deployment,) = [
        e for e in of_kind(rendered("whole"), "Deployment") if e["metadata"]["name"] == "conch"
    ]
    (container,) = containers(deployment)
    told = {
        each["name"]: each.get("value", "mongodb://mongodb-0/admin") for each in container["env"]
    }

    settings = load_settings(None, told)

    assert settings.triton.url == "haproxy:8001"
    assert settings.store.mongodb_uri.get_secret_value() == "mongodb://mongodb-0/admin"
    assert not settings.models.load_on_demand


def test_what_prometheus_asks_are_ports_of_services_under_the_jobs_of_the_rules() -> None:
    resources = rendered("whole")
    services = {each["metadata"]["labels"]["app"]: each for each in of_kind(resources, "Service")}
    jobs = {*re.findall(r'job="(\w+)"', (PROMETHEUS / "alert_rules.yml").read_text())}

    monitors = of_kind(resources, "ServiceMonitor")

    # Without a jobLabel the job is the Service's name.
    found = {
        services[each["spec"]["selector"]["matchLabels"]["app"]]["metadata"]["name"]
        for each in monitors
    }
    assert jobs <= found
    for monitor in monitors:
        ports = services[monitor["spec"]["selector"]["matchLabels"]["app"]]["spec"]["ports"]
        assert {each["port"] for each in monitor["spec"]["endpoints"]} <= {p["name"] for p in ports}


def test_every_dashboard_is_for_grafanas_sidecar_and_small_enough_to_apply() -> None:
    files = {
        path.name: path.read_text() for path in FOLDER.parent.glob("grafana/dashboards/*.json")
    }

    maps = of_kind(rendered("monitoring"), "ConfigMap")

    assert {name: text for each in maps for name, text in each["data"].items()} == files
    for each in maps:
        assert each["metadata"]["labels"] == {"grafana_dashboard": "1"}
        # kubectl apply keeps the whole in an annotation: https://kubernetes.io/docs/reference/labels-annotations-taints/
        assert len(str(each)) < 256 * 1024


def test_prometheus_rules_are_those_of_the_files() -> None:
    done = subprocess.run(
        [FOLDER / "monitoring" / "prometheus_rules"],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )

    resources = list(yaml.safe_load_all(done.stdout))

    for resource in resources:
        check(resource)
    files = [yaml.safe_load(path.read_text()) for path in sorted(PROMETHEUS.glob("*_rules.yml"))]
    assert [each["spec"] for each in resources] == files
    assert len({each["metadata"]["name"] for each in resources}) == len(files) == 2
