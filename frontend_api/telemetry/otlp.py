"""Traces that are kept: OpenTelemetry's SDK, which sends them to a collector by OTLP over HTTP.

Only place that imports it, and imported only when a collector is named: it takes a quarter of a
second and some megabytes. A thread of the SDK sends batches; a request never waits for it. While
the collector is gone, spans wait in a bounded queue and then are lost.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import requests
import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)
from opentelemetry.trace import Span as Recording

from frontend_api.domain.trace_context import TraceContext
from frontend_api.settings import TracingSettings
from frontend_api.telemetry.tracing import Attributes, Headers, Kind, Span, current_span

_NAME: Final = "conch"
_KINDS: Final = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
}
# What a worker that ends gives the collector to take the last spans.
_CLOSING_S: Final = 2.0
_NS_PER_S: Final = 1_000_000_000
_log = structlog.get_logger()


class OtlpTracing:
    """Tracing with a collector."""

    def __init__(self, settings: TracingSettings, *, closing_s: float = _CLOSING_S) -> None:
        """Keep that share of the traces that begin here; nothing is sent before `running`.

        Whether a trace that began elsewhere is kept was decided there.
        """
        self._settings = settings
        self._closing_s = closing_s
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.sample_ratio)),
            resource=Resource.create({"service.name": settings.service_name}),
            shutdown_on_exit=False,
        )
        self._tracer = self._provider.get_tracer(_NAME)

    def begun(self, name: str, kind: Kind = "internal", parent: TraceContext | None = None) -> Span:
        """Begin a step; see Tracing."""
        if parent is not None:
            return _begun(self._tracer, name, kind, _remote(parent))
        here = current_span()
        if isinstance(here, Kept):
            return here.child(name, kind)
        return _begun(self._tracer, name, kind, None)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send what ends; at the end wait a little for what is left, and give up the rest."""
        # Its lines come with every attempt; ours come once.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        with requests.Session() as session:
            # A proxy from the environment is meant for the outside world.
            session.trust_env = False
            exporter = Exporter(
                OTLPSpanExporter(
                    self._settings.endpoint, timeout=self._settings.timeout_s, session=session
                ),
                self._settings.endpoint,
            )
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
            try:
                yield
            finally:
                # A daemon: nobody waits for it longer than this.
                last = threading.Thread(target=self._provider.shutdown, daemon=True)
                last.start()
                await asyncio.to_thread(last.join, self._closing_s)
                exporter.shutdown()


class Kept:
    """A span of the SDK, which may have decided not to keep it."""

    def __init__(self, tracer: Tracer, span: Recording, started_ns: int) -> None:
        """Wrap it; it began so many nanoseconds after 1970."""
        self._tracer = tracer
        self._span = span
        self._started_ns = started_ns

    @property
    def trace_id(self) -> str:
        """The id of the trace, 32 hexadecimal digits."""
        return format_trace_id(self._span.get_span_context().trace_id)

    @property
    def is_sampled(self) -> bool:
        """Whether it is kept."""
        return self._span.get_span_context().trace_flags.sampled

    def headers(self) -> Headers:
        """Return what makes the work of the next program a part of this.

        Triton keeps every trace it is told of, whether it was sampled or not: so it is told of
        those that are kept.
        """
        if not self.is_sampled:
            return ()
        context = self._span.get_span_context()
        state = context.trace_state.to_header()
        span_id = format_span_id(context.span_id)
        return TraceContext(self.trace_id, span_id, is_sampled=True, state=state).headers()

    def child(self, name: str, kind: Kind = "internal") -> Span:
        """Begin a step that is a part of this one."""
        return _begun(self._tracer, name, kind, self._span)

    def stage(self, name: str, from_s: float, to_s: float) -> None:
        """Add a part that is over already; in seconds since this step began."""
        stage = self._tracer.start_span(
            name, set_span_in_context(self._span), start_time=self._after(from_s)
        )
        stage.end(self._after(to_s))

    def set(self, attributes: Attributes) -> None:
        """Say something about it."""
        self._span.set_attributes(attributes)

    def end(
        self, *, name: str = "", error: str | None = None, after_s: float | None = None
    ) -> None:
        """End it; see Span."""
        if name:
            self._span.update_name(name)
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end(None if after_s is None else self._after(after_s))

    def _after(self, seconds: float) -> int:
        return self._started_ns + round(seconds * _NS_PER_S)


class Exporter(SpanExporter):
    """Says once that the collector is gone, and once that it is back."""

    def __init__(self, exporter: SpanExporter, endpoint: str) -> None:
        """Send by that exporter."""
        self._exporter = exporter
        self._endpoint = endpoint
        self._is_lost = False
        self._is_given_up = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send these, or lose them."""
        if self._is_given_up:
            return SpanExportResult.FAILURE
        result = self._exporter.export(spans)
        is_lost = result is not SpanExportResult.SUCCESS
        if is_lost and not self._is_lost:
            _log.warning("tracing.collector_lost", endpoint=self._endpoint)
        elif self._is_lost and not is_lost:
            _log.info("tracing.collector_back", endpoint=self._endpoint)
        self._is_lost = is_lost
        return result

    def shutdown(self) -> None:
        """Send nothing more; what is open is closed once."""
        if not self._is_given_up:
            self._is_given_up = True
            self._exporter.shutdown()


def _begun(tracer: Tracer, name: str, kind: Kind, parent: Recording | None) -> Kept:
    context = Context() if parent is None else set_span_in_context(parent, Context())
    started_ns = time.time_ns()
    span = tracer.start_span(name, context, _KINDS[kind], start_time=started_ns)
    return Kept(tracer, span, started_ns)


def _remote(parent: TraceContext) -> Recording:
    return NonRecordingSpan(
        SpanContext(
            trace_id=int(parent.trace_id, 16),
            span_id=int(parent.span_id, 16),
            is_remote=True,
            trace_flags=TraceFlags(TraceFlags.SAMPLED * parent.is_sampled),
            trace_state=TraceState.from_header([parent.state]) if parent.state else None,
        )
    )
