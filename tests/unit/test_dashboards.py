"""Dashboards, rules and alerts ask for what is measured, and are what their tables say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from frontend_api.domain import errors
from frontend_api.telemetry import Telemetry
from scripts.grafana.cli import DASHBOARDS, FOLDER, files
from scripts.launcher.bootstrap import ROOT
from triton_backend.llm.metrics import FAMILIES

PROMETHEUS = ROOT / "docker" / "prometheus"
# Triton's own, as its metrics page has them.
OF_TRITON = {
    "nv_inference_request_success",
    "nv_inference_request_failure",
    "nv_inference_queue_duration_us",
    "nv_inference_pending_request_count",
    "nv_cpu_utilization",
    "nv_cpu_memory_used_bytes",
    "nv_cpu_memory_total_bytes",
    "nv_gpu_utilization",
    "nv_gpu_memory_used_bytes",
    "nv_gpu_memory_total_bytes",
    "nv_gpu_power_usage",
}
OF_PROMETHEUS = {"up", "ALERTS"}
# Errors of the server that no generation ends with by itself.
NOT_A_FAILURE = {"shutting_down"}


def rules(name: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / name).read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def measured() -> set[str]:
    """Return the names of all samples that there can be."""
    page = Telemetry().render().decode()
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", page, re.M):
        ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names |= {f"{name}{end}" for end in ends}
    recorded = {rule["record"] for rule in rules("recording_rules.yml")}
    return names | recorded | set(FAMILIES) | OF_TRITON | OF_PROMETHEUS


def asked(expr: str) -> set[str]:
    """Return the names of metrics in a query."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on) \([^)]*\)", "", expr)
    words = set(re.findall(r"[A-Za-z_][\w:]*(?!\w*\s*\()", bare))
    return words - {"or", "and", "vector"}


def queries() -> Iterator[tuple[str, str]]:
    for board in DASHBOARDS:
        for row in board.rows:
            for panel in row:
                yield from ((f"{board.title}: {panel.title}", q.expr) for q in panel.queries)
    for name in ("recording_rules.yml", "alert_rules.yml"):
        yield from ((rule.get("record") or rule["alert"], rule["expr"]) for rule in rules(name))


@pytest.mark.parametrize(("where", "expr"), [*queries()], ids=lambda each: each[:40])
def test_a_query_asks_for_metrics_that_there_are(where: str, expr: str) -> None:
    assert asked(expr)
    assert asked(expr) <= measured()


@pytest.mark.parametrize("path", [*files()], ids=lambda path: path.stem)
def test_a_dashboard_is_what_its_table_says(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == files()[path], "run scripts/dashboards"


def test_dashboards_keep_their_addresses_and_have_no_others_beside_them() -> None:
    uids = {"conch-overview", "conch-models", "conch-usage", "conch-engine", "conch-store"}

    assert {json.loads(text)["uid"] for text in files().values()} == uids
    assert {path.stem for path in FOLDER.iterdir()} == uids


def test_every_alert_says_how_urgent_it_is_and_what_to_do() -> None:
    document = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    tests = yaml.safe_load((PROMETHEUS / "alert_tests.yml").read_text(encoding="utf-8"))["tests"]
    fired = " ".join(str(test["promql_expr_test"][1]) for test in tests)

    for rule in rules("alert_rules.yml"):
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["runbook"].endswith(".")
        assert f"`{rule['alert']}`" in document
        assert f'alertname="{rule["alert"]}"' in fired


def test_a_failed_generation_is_one_that_ended_with_an_error_of_the_server() -> None:
    expr = next(
        rule["expr"]
        for rule in rules("recording_rules.yml")
        if rule["record"] == "conch:generations_failed:ratio_rate5m"
    )
    found = re.search(r'outcome=~"([^"]*)"', expr)
    ours = {
        each.default_code
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.ServiceError) and each.status >= 500
    }

    assert found
    assert set(found[1].split("|")) == ours - {None} - NOT_A_FAILURE
