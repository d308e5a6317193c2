"""A collector of traces on loopback: it takes OTLP over HTTP, as protocol buffers and as JSON."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PATH = "/v1/traces"


@dataclass(frozen=True)
class Collected:
    """A span as it came; times in nanoseconds since 1970."""

    service: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    started: int
    ended: int
    attributes: Mapping[str, object]
    is_error: bool

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended - self.started) / 1e9


class Collector:
    """What was sent to `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[bytes] = []
        self.spans: list[Collected] = []

    def take(self, body: bytes, *, is_json: bool) -> None:
        """Keep the spans of a request."""
        self.bodies.append(body)
        message = json.loads(body) if is_json else _as_json(body)
        for resource in message["resourceSpans"]:
            service = _attributes(resource["resource"])["service.name"]
            for scope in resource["scopeSpans"]:
                self.spans += [_collected(str(service), span) for span in scope["spans"]]

    def trace(self, trace_id: str) -> Sequence[Collected]:
        """Return the spans of a trace, in the order of their beginnings."""
        found = [span for span in self.spans if span.trace_id == trace_id]
        return sorted(found, key=lambda span: span.started)

    def one(self, name: str) -> Collected:
        """Return the only span of this name."""
        (found,) = (span for span in self.spans if span.name == name)
        return found

    def children(self, parent: Collected) -> Sequence[Collected]:
        """Return the parts of a span, in the order of their beginnings."""
        return [span for span in self.trace(parent.trace_id) if span.parent_id == parent.span_id]


@contextmanager
def running_collector() -> Iterator[Collector]:
    """Take what is sent to a free port, in a thread, while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.take(body, is_json="json" in self.headers["content-type"])
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200 if self.path == PATH else 404)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}{PATH}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def _as_json(body: bytes) -> Any:
    message = ExportTraceServiceRequest.FromString(body)
    parsed = MessageToDict(message)
    # Its ids are bytes, for which OTLP's JSON has hexadecimal digits.
    for resource, raw_resource in zip(parsed["resourceSpans"], message.resource_spans, strict=True):
        scopes = zip(resource["scopeSpans"], raw_resource.scope_spans, strict=True)
        for scope, raw_scope in scopes:
            for span, raw in zip(scope["spans"], raw_scope.spans, strict=True):
                span["traceId"], span["spanId"] = raw.trace_id.hex(), raw.span_id.hex()
                span["parentSpanId"] = raw.parent_span_id.hex()
    return parsed


def _collected(service: str, span: Any) -> Collected:
    return Collected(
        service=service,
        trace_id=span["traceId"],
        span_id=span["spanId"],
        parent_id=span.get("parentSpanId", ""),
        name=span["name"],
        kind=str(span["kind"]),
        started=int(span["startTimeUnixNano"]),
        ended=int(span["endTimeUnixNano"]),
        attributes=_attributes(span),
        is_error=span.get("status", {}).get("code") in (2, "STATUS_CODE_ERROR"),
    )


def _attributes(owner: Any) -> Mapping[str, object]:
    """Return names and values; OTLP names the type of each."""
    found: dict[str, object] = {}
    for attribute in owner.get("attributes", ()):
        ((kind, value),) = attribute["value"].items()
        found[attribute["key"]] = int(value) if kind == "intValue" else value
    return found
