"""Spans: without a collector, with one, and with one that is gone."""

import socket
import subprocess
import sys
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from frontend_api.domain.errors import BackendLost
from frontend_api.domain.trace_context import TraceContext
from frontend_api.settings import SettingsError, TracingSettings, load_settings
from frontend_api.telemetry.otlp import Exporter, OtlpTracing
from frontend_api.telemetry.tracing import NoTracing, current_span, spanned, within
from tests.collector import Collector, running_collector

THEIRS = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", is_sampled=True)
UNSAMPLED = TraceContext(THEIRS.trace_id, THEIRS.span_id, is_sampled=False)


def tracing_to(collector: Collector, sample_ratio: float = 1.0) -> OtlpTracing:
    return OtlpTracing(TracingSettings(endpoint=collector.url, sample_ratio=sample_ratio))


def test_without_tracing_every_request_has_an_id_and_no_span() -> None:
    tracing = NoTracing()

    with within(tracing.begun("a")) as first:
        inner = tracing.begun("b")
    second = tracing.begun("c")

    assert len({first.trace_id, second.trace_id}) == 2
    assert inner.trace_id == first.trace_id
    assert not first.is_sampled
    assert first.headers() == ()
    assert current_span().trace_id == ""


def test_without_tracing_the_trace_of_a_client_goes_on_behind_us() -> None:
    kept = NoTracing().begun("a", "server", THEIRS)
    not_kept = NoTracing().begun("a", "server", UNSAMPLED)

    assert kept.trace_id == not_kept.trace_id == THEIRS.trace_id
    assert kept.child("b").headers() == THEIRS.headers()
    assert not_kept.headers() == ()


@pytest.mark.slow
def test_without_tracing_no_library_for_it_is_loaded() -> None:
    program = (
        "import sys; from frontend_api.settings import TracingSettings;"
        "from frontend_api.wiring import tracing_of; tracing_of(TracingSettings());"
        "sys.exit(any('opentelemetry' in name or name == 'requests' for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize(
    "endpoint",
    ["127.0.0.1:4318", "http://127.0.0.1:4318", "http://me:secret@host/v1/traces", "ftp://host/x"],
)
def test_what_is_no_whole_address_stops_the_start(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="looks like http") as stopped:
        load_settings(None, {"CONCH_TRACING__ENDPOINT": endpoint})

    assert "secret" not in str(stopped.value)


async def test_a_span_arrives_with_its_parts() -> None:
    with running_collector() as collector:
        tracing = tracing_to(collector)
        async with tracing.running():
            with within(tracing.begun("HTTP", "server")) as request:
                step = tracing.begun("chat demo", "client")
                step.set({"n": 2, "of": "us", "ratio": 0.5, "is_good": True})
                step.stage("queue", 0.0, 0.25)
                step.stage("generate", 0.25, 1.0)
                step.end(after_s=1.0)
            request.end(name="GET /x")

        whole, chat = collector.one("GET /x"), collector.one("chat demo")
        assert (whole.kind, whole.parent_id) == ("SPAN_KIND_SERVER", "")
        assert whole.trace_id == request.trace_id
        assert collector.children(whole) == [chat]
        assert chat.attributes == {"n": 2, "of": "us", "ratio": 0.5, "is_good": True}
        queue, generate = collector.children(chat)
        assert (queue.name, generate.name) == ("queue", "generate")
        assert queue.started == chat.started
        assert queue.ended == generate.started
        assert generate.ended == chat.ended
        assert chat.seconds == pytest.approx(1.0)


async def test_a_trace_that_began_elsewhere_goes_on_as_was_decided_there() -> None:
    with running_collector() as collector:
        tracing = tracing_to(collector, sample_ratio=0)
        async with tracing.running():
            kept = tracing.begun("kept", "server", THEIRS)
            child = kept.child("child")
            sent = dict(child.headers())
            child.end()
            kept.end()
            lost = tracing.begun("lost", "server", UNSAMPLED)
            lost.end()
            ours = tracing.begun("ours")
            ours.end()

        assert {span.name for span in collector.spans} == {"kept", "child"}
        assert collector.one("kept").parent_id == THEIRS.span_id
        assert collector.one("child").trace_id == THEIRS.trace_id
        child_id = collector.one("child").span_id
        assert sent == {"traceparent": f"00-{THEIRS.trace_id}-{child_id}-01"}
        # Triton would keep it.
        assert lost.headers() == ours.headers() == ()
        assert lost.trace_id == THEIRS.trace_id


async def test_the_state_of_other_tracing_systems_is_handed_on() -> None:
    with running_collector() as collector:
        tracing = tracing_to(collector)
        theirs = TraceContext(THEIRS.trace_id, THEIRS.span_id, is_sampled=True, state="a=1,b=2")

        headers = tracing.begun("x", "server", theirs).child("y").headers()

    assert dict(headers)["tracestate"] == "a=1,b=2"


@pytest.mark.parametrize(
    ("failure", "error"),
    [(BackendLost("gone"), "backend_unavailable"), (KeyError("x"), "KeyError")],
)
async def test_what_fails_says_so_and_not_why(failure: Exception, error: str) -> None:
    with running_collector() as collector:
        tracing = tracing_to(collector)
        async with tracing.running():
            with pytest.raises(type(failure)), spanned(tracing.begun("step")):
                raise failure

        step = collector.one("step")
        assert step.is_error
        assert step.attributes == {"error.type": error}


class Fickle(SpanExporter):
    """Fails and succeeds as it is told."""

    def __init__(self, results: Sequence[bool]) -> None:
        self._results = iter(results)
        self.num_shutdowns = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS if next(self._results) else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.num_shutdowns += 1


def test_a_lost_collector_is_told_once_and_so_is_its_return() -> None:
    fickle = Fickle([True, False, False, False, True, True, False])
    exporter = Exporter(fickle, "http://127.0.0.1/v1/traces")

    with capture_logs() as logs:
        for _ in range(7):
            exporter.export([])

    lost, back = "tracing.collector_lost", "tracing.collector_back"
    assert [line["event"] for line in logs] == [lost, back, lost]


def test_an_exporter_that_was_given_up_sends_nothing() -> None:
    fickle = Fickle([])
    exporter = Exporter(fickle, "http://127.0.0.1/v1/traces")
    exporter.shutdown()
    exporter.shutdown()

    assert exporter.export([]) is SpanExportResult.FAILURE
    assert fickle.num_shutdowns == 1


async def test_a_collector_that_never_answers_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces"
        tracing = OtlpTracing(TracingSettings(endpoint=endpoint, timeout_s=600), closing_s=0.01)
        async with tracing.running():
            tracing.begun("step").end()

    # Ten minutes have not passed: the test's own limit says so.
