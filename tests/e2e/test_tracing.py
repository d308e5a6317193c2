"""From a slow request in the metrics to its trace, through two workers and the real Triton."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from scripts.launcher.bootstrap import ROOT
from tests.collector import Collected, Collector, running_collector
from tests.e2e.conch_process import LIMIT_S, Conch, running_conch, until_async
from tests.e2e.workers import a_client_of_each

OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}
ROUTE = "/v1/responses"
SECONDS = "conch_http_request_duration_seconds"
STAGES = ["queue", "preprocess", "first token", "generate"]
CALL = "inference.GRPCInferenceService/ModelStreamInfer"
# Of a model that takes 200 ms for each.
NUM_SLOW_TOKENS = 9
SLOW_S = 1.6
THEIRS = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with running_collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def traced(collector: Collector, repository: Path) -> Iterator[Conch]:
    """A Conch whose API and Triton send their traces to the collector."""
    settings = {
        "CONCH_TRACING__ENDPOINT": collector.url,
        # Of OpenTelemetry itself: how long a span waits for others to be sent with.
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    models = ("--repository", str(repository), "--model", "slow", "--model", "steady")
    with running_conch("--workers", "2", *models, environ=settings) as conch:
        assert conch.url
        yield conch


async def ask(conch: Conch, model: str, num_tokens: int, headers: Mapping[str, str]) -> None:
    body = {"model": model, "input": "Count.", "max_output_tokens": num_tokens, "stream": True}
    # A connection of its own, so that either worker may get it.
    async with httpx.AsyncClient(base_url=conch.url, timeout=LIMIT_S) as client:
        answer = await client.post(ROUTE, json=body, headers=headers)
    assert answer.status_code == 200
    assert "response.incomplete" in answer.text


async def slow_exemplar(worker: httpx.AsyncClient) -> tuple[str, float]:
    """Return trace and seconds of the slow request, once this worker's metrics name it."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            page = (await worker.get("/metrics", headers=OPENMETRICS)).text
            for family in text_string_to_metric_families(page):  # type: ignore[no-untyped-call]
                for sample in family.samples if family.name == SECONDS else ():
                    found = sample.exemplar
                    if found and sample.labels["route"] == ROUTE and found.value > SLOW_S:
                        return found.labels["trace_id"], found.value


async def test_a_slow_request_is_found_from_a_metric_to_each_of_its_stages(
    traced: Conch, collector: Collector
) -> None:
    await asyncio.gather(*(ask(traced, "steady", 4, {}) for _ in range(8)))
    await ask(traced, "slow", NUM_SLOW_TOKENS, {})

    async with a_client_of_each(traced) as workers:
        # One of the two has answered it; both know of it.
        named = {await slow_exemplar(worker) for worker in workers}
    ((trace_id, seconds),) = named
    trace = await arrived(collector, trace_id)

    request = root_of(trace)
    assert request.name == f"POST {ROUTE}"
    # The metric's clock runs a little longer than the span's, or a little shorter.
    assert request.seconds == pytest.approx(seconds, rel=0.1)
    chat, turn, save = collector.children(request)
    assert (chat.name, turn.name, save.name) == ("chat slow", "save turn", "save")
    assert chat.attributes["gen_ai.usage.output_tokens"] == NUM_SLOW_TOKENS
    stages = [span for span in collector.children(chat) if span.name != CALL]
    assert [stage.name for stage in stages] == STAGES
    # They add up: without a gap and to the nanosecond to the generation, which is the request but
    # for what comes before it and the saving.
    assert sum(stage.ended - stage.started for stage in stages) == chat.ended - chat.started
    assert request.seconds / 2 < chat.seconds + save.seconds <= request.seconds
    assert max(stages, key=lambda stage: stage.seconds).name == "generate"
    assert traced_in_log(traced, trace_id)


async def test_triton_has_its_part_in_the_trace_of_a_client(
    traced: Conch, collector: Collector
) -> None:
    await ask(traced, "steady", 4, THEIRS)

    trace_id, client_id = THEIRS["traceparent"].split("-")[1:3]
    trace = await arrived(collector, trace_id)

    (request,) = (span for span in trace if span.parent_id == client_id)
    assert request.name == f"POST {ROUTE}"
    (call,) = (span for span in trace if span.name == CALL)
    (theirs,) = collector.children(call)
    assert (theirs.service, theirs.name) == ("triton", "InferRequest")
    (model,) = collector.children(theirs)
    assert (model.service, model.name) == ("triton", "steady")


def root_of(trace: list[Collected]) -> Collected:
    (root,) = (span for span in trace if not span.parent_id)
    return root


async def arrived(collector: Collector, trace_id: str) -> list[Collected]:
    """Return the trace once it is whole: the request's own span, and the last of Triton's."""

    def is_whole() -> bool:
        names = {span.name for span in collector.trace(trace_id)}
        return {f"POST {ROUTE}", "InferRequest", "compute"} <= names

    await until_async(is_whole, "the trace is whole")
    return list(collector.trace(trace_id))


def traced_in_log(conch: Conch, trace_id: str) -> bool:
    """Whether a request's line in what the launcher keeps of its run has the id."""
    folder = ROOT / ".run" / conch.url.rpartition(":")[2]
    lines = [line for file in folder.glob("*.log") for line in file.read_text().splitlines()]
    found = [json.loads(line) for line in lines if trace_id in line]
    return any(line["event"] == "request" and line["trace_id"] == trace_id for line in found)
