"""Prometheus scrapes a Conch under a little load, and every dashboard has something to show."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from scripts.grafana.cli import DASHBOARDS
from scripts.launcher.bootstrap import ROOT
from tests.e2e.conch_process import LIMIT_S, Conch, until, until_async
from tests.e2e.prometheus_process import CONFIGURATION, Prometheus, running_prometheus
from tests.e2e.workers import a_client_of_each, begun

# Of eight answers each, a second long: more than `slow` writes at once, so some wait in line.
NUM_CROWDED = 20
# promtool's status when a page is valid but not as it would have it.
NOT_TO_ITS_TASTE = 3
LOG_LEVEL = "/admin/log-level"


def promtool(*arguments: str, page: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *arguments],
        input=page,
        cwd=CONFIGURATION,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "recording_rules.yml", "alert_rules.yml"),
        ("test", "rules", "alert_tests.yml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing_wrong(arguments: tuple[str, ...]) -> None:
    checked = promtool(*arguments)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_promtool_finds_our_metrics_well_named(conch: Conch) -> None:
    ours = promtool("check", "metrics", page=httpx.get(f"{conch.url}/metrics").text)
    assert ours.returncode == 0, ours.stderr

    triton = promtool("check", "metrics", page=httpx.get(conch.metrics_url).text)
    assert triton.returncode in (0, NOT_TO_ITS_TASTE), triton.stderr
    # Triton's own names are what they are.
    assert [line for line in triton.stderr.splitlines() if not line.startswith("nv_")] == []


@pytest.fixture(scope="module")
async def watched(
    conch: Conch, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Prometheus]:
    """A Prometheus that has seen some use of `conch` begin and go on."""
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), conch) as prometheus:
        # Counters are worth something from their second look on: let it see them first.
        await use(conch)
        await until_async(
            lambda: (
                len(prometheus.ask("conch_queue_duration_seconds_count")) > 0
                and sum(prometheus.ask("up")) == 2
            ),
            "Prometheus has seen the API and Triton",
        )
        await use(conch)
        yield prometheus


async def use(conch: Conch) -> None:
    """Have every model answer, some requests refused and some wait in line."""
    async with httpx.AsyncClient(base_url=conch.url, timeout=LIMIT_S) as client:
        crowd = (chat(client, "slow", 5, n=8) for _ in range(NUM_CROWDED))
        others = (chat(client, model, 8) for model in ("steady", "demo"))
        assert {*await asyncio.gather(*crowd, *others)} == {200}
        assert await chat(client, "nothing", 1) == 404
        stored = {"model": "demo", "input": "Hello", "max_output_tokens": 8}
        assert (await client.post("/v1/responses", json=stored)).status_code == 200


async def chat(client: httpx.AsyncClient, model: str, max_tokens: int, n: int = 1) -> int:
    messages = [{"role": "user", "content": "Count."}]
    body = {"model": model, "messages": messages, "max_tokens": max_tokens, "n": n}
    return (await client.post("/v1/chat/completions", json=body)).status_code


async def test_every_query_of_every_panel_has_an_answer(watched: Prometheus) -> None:
    missing = {
        f"{board.title}, {panel.title}: {query.legend}": query.expr
        for board in DASHBOARDS
        for row in board.rows
        for panel in row
        for query in panel.queries
    }

    def ask_what_is_missing() -> bool:
        for where, expr in list(missing.items()):
            chosen = expr.replace("$__rate_interval", "1m").replace("$model", ".*")
            if watched.ask(chosen):
                del missing[where]
        return not missing

    try:
        await until_async(ask_what_is_missing, "every panel shows something")
    except AssertionError as failed:
        raise AssertionError(f"without an answer: {missing}") from failed


async def test_every_rule_is_evaluated_and_nothing_is_wrong_with_a_healthy_server(
    watched: Prometheus,
) -> None:
    await until_async(
        lambda: all(rule["health"] == "ok" for rule in watched.rules()), "all rules are evaluated"
    )

    rules = watched.rules()
    assert len(rules) > 20
    assert [rule.get("lastError") for rule in rules if rule.get("lastError")] == []
    # A machine's disk may be nearly full; nothing else should be.
    firing = {rule["name"] for rule in rules if rule.get("state") == "firing"}
    assert firing <= {"ConchDiskAlmostFull"}


async def test_the_log_level_changes_in_every_worker(conch: Conch) -> None:
    async with a_client_of_each(conch) as (one, other):

        async def has_both(level: str) -> bool:
            told = [await client.get(LOG_LEVEL) for client in (one, other)]
            return [answer.json()["level"] for answer in told] == [level, level]

        for level in ("debug", "info"):
            assert (await one.put(LOG_LEVEL, json={"level": level})).status_code == 200
            async with asyncio.timeout(LIMIT_S):
                while not await has_both(level):
                    pass


def test_one_log_has_the_lines_of_the_api_of_triton_and_of_the_launcher(conch: Conch) -> None:
    asked = "logged-once"
    httpx.get(f"{conch.url}/v1/models", headers={"x-request-id": asked})
    log = ROOT / ".run" / str(urlsplit(conch.url).port) / "conch.log"
    until(lambda: asked in log.read_text(encoding="utf-8"), "the request is logged")

    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    sources = {line.get("source") for line in lines}
    assert {None, "triton", "launcher"} <= sources  # the API's own lines need not say so
    # What the model's process prints goes where it is logged under its model's name.
    stub = conch.process("triton_python_backend_stub", "/steady/1/model.py")
    printed = {Path(f"/proc/{stub.pid}/fd/{number}").readlink() for number in (1, 2)}
    assert all(link.name.startswith("socket:") for link in printed)


async def test_the_status_of_one_worker_counts_what_another_one_has_in_hand(conch: Conch) -> None:
    async with a_client_of_each(conch) as (one, other), begun(one) as stream:
        await stream.read(1)
        told = (await other.get("/admin/status")).json()

    running = {work["model"]: work["running"] for work in told["queue"]}
    assert running["slow"] == 1
    assert {model["id"] for model in told["models"]} == {"demo", "steady", "slow"}
