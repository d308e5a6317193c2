"""Exemplars: from a bucket of a latency to the trace of a request that fell into it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from frontend_api.domain.generation import Usage
from frontend_api.settings import TracingSettings
from frontend_api.telemetry import GenerationRecord, Telemetry
from frontend_api.telemetry.exemplars import Exemplars
from frontend_api.telemetry.families import LATENCY_BUCKETS_S
from frontend_api.telemetry.otlp import OtlpTracing
from frontend_api.telemetry.tracing import Span, within

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.3"
TRACING = OtlpTracing(TracingSettings(endpoint="http://127.0.0.1:1/v1/traces"))


@pytest.fixture
def span() -> Iterator[Span]:
    """A request that is traced."""
    with within(TRACING.begun("HTTP", "server")) as span:
        yield span


def exemplars_of(page: bytes, name: str) -> dict[str, tuple[str, float]]:
    """Return trace and value by the bound of their bucket."""
    return {
        sample.labels["le"]: (sample.exemplar.labels["trace_id"], sample.exemplar.value)
        for family in text_string_to_metric_families(page.decode())  # type: ignore[no-untyped-call]
        for sample in family.samples
        if sample.name == f"{name}_bucket" and sample.exemplar is not None
    }


def test_a_slow_request_is_found_in_its_bucket(span: Span) -> None:
    telemetry = Telemetry(tracing=TRACING)
    telemetry.generation_started("m")
    telemetry.generation_ended(GenerationRecord("m", "completed", Usage(1, 9), 0.3, 7.0))
    telemetry.message_ended("/chat/ws", 200, 1000.0, has_failed=False)

    page, content_type = telemetry.page_for(OPENMETRICS)

    assert content_type.startswith("application/openmetrics-text")
    of = {
        name: exemplars_of(page, f"conch_{name}_seconds")
        for name in ("generation_duration", "time_to_first_token", "http_request_duration")
    }
    assert of == {
        "generation_duration": {"10.0": (span.trace_id, 7.0)},
        "time_to_first_token": {"0.5": (span.trace_id, 0.3)},
        "http_request_duration": {"+Inf": (span.trace_id, 1000.0)},
    }


def test_the_latest_of_a_bucket_is_shown() -> None:
    telemetry = Telemetry(tracing=TRACING)
    for _ in range(2):
        with within(TRACING.begun("HTTP")) as span:
            telemetry.message_ended("/a", 200, 0.01, has_failed=False)

    page, _ = telemetry.page_for(OPENMETRICS)

    # A value on a bound is in the bucket that ends there.
    shown = exemplars_of(page, "conch_http_request_duration_seconds")
    assert shown == {"0.01": (span.trace_id, 0.01)}


def test_a_request_that_is_not_kept_is_no_exemplar() -> None:
    telemetry = Telemetry()
    with within(telemetry.tracing.begun("HTTP")):
        telemetry.message_ended("/a", 200, 0.01, has_failed=False)

    page, _ = telemetry.page_for(OPENMETRICS)

    assert exemplars_of(page, "conch_http_request_duration_seconds") == {}


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain; version=0.0.4", "text/html"])
def test_who_does_not_ask_for_openmetrics_gets_the_text_as_before(accept: str, span: Span) -> None:
    telemetry = Telemetry(tracing=TRACING)
    telemetry.message_ended("/a", 200, 0.01, has_failed=False)

    page, content_type = telemetry.page_for(accept)

    assert content_type.startswith("text/plain")
    assert page == telemetry.render()
    assert span.trace_id not in page.decode()


def test_a_page_removes_the_exemplars_of_workers_that_have_died(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as dead:
        pass
    of_dead = tmp_path / f"exemplars_{dead.pid}.json"
    of_living = tmp_path / f"exemplars_{os.getpid()}.json"
    for file in (of_dead, of_dead.with_suffix(".tmp"), of_living):
        file.write_text("[]")

    Telemetry(tmp_path).page_for(OPENMETRICS)

    assert list(tmp_path.glob("exemplars_*")) == [of_living]


def test_workers_show_the_exemplars_of_each_other(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    histogram = Histogram("h", "Seconds", ("m",), buckets=LATENCY_BUCKETS_S, registry=registry)
    for value in (0.2, 3, 70):
        histogram.labels("x").observe(value)
    one, other = Exemplars(tmp_path, worker=1), Exemplars(tmp_path, worker=2)

    traces = []
    for exemplars, value in ((one, 0.2), (one, 3), (other, 3), (other, 70)):
        with within(TRACING.begun("HTTP")) as span:
            exemplars.note(histogram, value, {"m": "x"})
            exemplars.share()
            traces.append(span.trace_id)

    first, _, later, last = traces
    together = {"0.25": (first, 0.2), "5.0": (later, 3), "80.0": (last, 70)}
    for exemplars in (one, other, Exemplars(tmp_path, worker=3)):
        page = generate_latest(exemplars.shown_in(registry))  # type: ignore[no-untyped-call]
        assert exemplars_of(page, "h") == together
