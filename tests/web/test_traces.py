"""Traces of whole requests, as a collector gets them: which spans they have, and of what."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from quart import Quart
from quart.typing import TestClientProtocol as Client
from structlog.testing import capture_logs
from websockets.asyncio.client import connect

from frontend_api.adapters.sqlite import memory_store
from frontend_api.app import create_app
from frontend_api.domain.errors import BackendLost
from frontend_api.domain.generation import Accepted
from frontend_api.settings import TracingSettings
from frontend_api.telemetry import Telemetry
from frontend_api.telemetry.otlp import OtlpTracing
from frontend_api.telemetry.tracing import within
from tests.collector import Collected, Collector, running_collector
from tests.web.fake_triton import FakeTriton, accepted, delta
from tests.web.fakes import FakeGenerator, Step, words
from tests.web.running import ask, running_app, serving, wired
from tests.web.triton_running import ready, run

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
COMES_WITH = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
STAGES = ["queue", "preprocess", "first token", "generate"]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as collector:
        yield collector


def traced(collector: Collector, steps: Sequence[Step]) -> Quart:
    tracing = OtlpTracing(TracingSettings(endpoint=collector.url))
    wiring = wired(FakeGenerator(steps), store=memory_store())
    return create_app(replace(wiring, telemetry=Telemetry(tracing=tracing)))


@asynccontextmanager
async def client_of(collector: Collector, *steps: Step) -> AsyncIterator[Client]:
    """Once the block is left everything has reached the collector."""
    app = traced(collector, steps or [Accepted(3), *words("Hel", "lo")])
    async with app.test_app() as running:
        yield running.test_client()


def names(spans: Sequence[Collected]) -> list[str]:
    return [span.name for span in spans]


async def test_a_streamed_chat_has_a_span_for_each_stage_and_they_add_up(
    collector: Collector,
) -> None:
    async with client_of(collector) as client:
        answer = await client.post(
            "/v1/chat/completions",
            json=ask(stream=True, max_tokens=8, temperature=0.5, seed=7),
            headers=COMES_WITH,
        )
        assert answer.status_code == 200
        await answer.get_data()

    request = collector.one("POST /v1/chat/completions")
    assert (request.trace_id, request.parent_id) == (TRACE, SPAN)
    assert request.attributes["http.response.status_code"] == 200
    (chat,) = collector.children(request)
    assert (chat.name, chat.kind) == ("chat demo", "SPAN_KIND_CLIENT")
    assert (
        chat.attributes.items()
        >= {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "nvidia.triton",
            "gen_ai.request.model": "demo",
            "gen_ai.request.max_tokens": 8,
            "gen_ai.request.temperature": 0.5,
            "gen_ai.request.seed": 7,
            "gen_ai.usage.input_tokens": 3,
            "gen_ai.usage.output_tokens": 2,
        }.items()
    )
    stages = collector.children(chat)
    assert names(stages) == STAGES
    assert [stage.started for stage in stages] == [
        chat.started,
        *(stage.ended for stage in stages[:-1]),
    ]
    assert stages[-1].ended == chat.ended


async def test_an_answer_that_comes_whole_has_no_first_token(collector: Collector) -> None:
    async with client_of(collector) as client:
        await client.post("/v1/completions", json={"model": "demo", "prompt": "x"})

    stages = collector.children(collector.one("text_completion demo"))
    assert names(stages) == ["queue", "preprocess", "generate"]


async def test_a_stored_response_is_saved_twice_in_its_trace(collector: Collector) -> None:
    async with client_of(collector) as client:
        await client.post("/v1/responses", json={"model": "demo", "input": "x"})

    request = collector.one("POST /v1/responses")
    parts = collector.children(request)
    assert names(parts) == ["chat demo", "save turn", "save"]
    chat, turn, save = parts
    assert turn.started >= collector.children(chat)[1].started
    assert chat.ended <= save.started < save.ended <= request.ended
    assert save.attributes["conch.outcome"] == "written"


async def test_the_trace_of_a_failure_says_what_failed(collector: Collector) -> None:
    async with client_of(collector, Accepted(3), BackendLost("gone")) as client:
        answer = await client.post("/v1/chat/completions", json=ask())
        assert answer.status_code == 503

    for name in ("POST /v1/chat/completions", "chat demo"):
        span = collector.one(name)
        assert span.is_error
        assert span.attributes["error.type"] == "backend_unavailable"


async def test_what_a_client_does_wrong_is_no_failure_of_ours(collector: Collector) -> None:
    async with client_of(collector) as client:
        answer = await client.post("/v1/chat/completions", json=ask(model="nothing"))
        assert answer.status_code == 404

    request = collector.one("POST /v1/chat/completions")
    assert not request.is_error
    assert request.attributes["http.response.status_code"] == 404


@pytest.mark.parametrize("headers", [{}, COMES_WITH, {"traceparent": "00-nonsense"}])
async def test_the_log_line_has_a_trace_id_with_and_without_tracing(
    collector: Collector, headers: dict[str, str]
) -> None:
    ids = []
    for running in (running_app(), client_of(collector)):
        with capture_logs() as logs:
            async with running as client:
                await client.get("/health", headers=headers)
        (line,) = (line for line in logs if line["event"] == "request")
        ids.append(line["trace_id"])

    assert all(len(each) == 32 and int(each, 16) for each in ids)
    assert (set(ids) == {TRACE}) is (headers == COMES_WITH)
    assert collector.one("GET /health").trace_id == ids[1]


async def test_a_request_right_behind_another_has_a_trace_of_its_own(collector: Collector) -> None:
    asked = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"
    last = b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    async with serving(traced(collector, [])) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(asked + last)
        answers = await reader.read()
        writer.close()

    assert answers.count(b"200 OK") == 2
    one, other = collector.spans
    assert one.trace_id != other.trace_id
    assert not one.parent_id
    assert not other.parent_id


@pytest.mark.parametrize(
    ("route", "message"),
    [
        ("/chat/ws", {"model-name": "demo", "prompt": "x"}),
        ("/v1/responses", {"type": "response.create", "model": "demo", "input": "x"}),
    ],
)
async def test_each_message_on_a_websocket_is_a_part_of_what_its_connection_is(
    collector: Collector, route: str, message: dict[str, str]
) -> None:
    app = traced(collector, [Accepted(3), *words("Hel", "lo")])
    async with serving(app) as running:
        url = f"ws://127.0.0.1:{running.port}{route}"
        async with connect(url, proxy=None, additional_headers=COMES_WITH) as socket:
            for _ in range(2):
                await socket.send(json.dumps(message))
                while (frame := await socket.recv()) and "response.completed" not in frame:
                    pass

    messages = [span for span in collector.spans if span.name == f"WS {route}"]
    assert len(messages) == 2
    for each in messages:
        assert (each.trace_id, each.parent_id) == (TRACE, SPAN)
        assert names(collector.children(each))[0] == "chat demo"


async def test_triton_is_told_of_the_call_that_asks_it(collector: Collector) -> None:
    tracing = OtlpTracing(TracingSettings(endpoint=collector.url))
    fake = FakeTriton([accepted(3), delta("Hi", reason="stop")])
    async with tracing.running(), ready(fake) as triton:
        with within(tracing.begun("HTTP")) as request:
            await run(triton)
        request.end()

    call = collector.one("inference.GRPCInferenceService/ModelStreamInfer")
    assert collector.children(collector.one("HTTP")) == [call]
    assert fake.metadata[-1]["traceparent"] == f"00-{call.trace_id}-{call.span_id}-01"


async def test_without_a_trace_triton_is_told_of_none() -> None:
    fake = FakeTriton([accepted(3), delta("Hi", reason="stop")])
    async with ready(fake) as triton:
        await run(triton)

    assert "traceparent" not in fake.metadata[-1]
