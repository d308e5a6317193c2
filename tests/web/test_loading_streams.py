"""Requests for a model that is still to be loaded."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from quart import Response

from frontend_api.app import create_app
from frontend_api.domain.errors import ModelNotReady, ShuttingDown
from frontend_api.domain.model import ServedModel
from frontend_api.web.patience import patiently
from frontend_api.web.scope import RequestRecord
from tests.web.fakes import FakeCatalogue, FakeControl, FakeGenerator, words
from tests.web.running import settings, wired

ASKED = {"model": "late", "messages": [{"role": "user", "content": "hi"}], "stream": True}
QUICK = {"server": {"keepalive_interval_s": 0.01}, "triton": {"queue_timeout_s": 0.05}}


async def answered(
    *,
    path: str = "/v1/chat/completions",
    body: Mapping[str, Any] = ASKED,
    failure: ModelNotReady | None = None,
    **asked: Any,
) -> tuple[int, str]:
    """Ask for a model that loads while the client waits: status and text."""
    catalogue = FakeCatalogue(ServedModel("late", state="unloaded"))
    wiring = wired(FakeGenerator(words("Hello")), catalogue, settings(**QUICK))
    control = wiring.control
    assert isinstance(control, FakeControl)
    control.may_go_on.clear()
    control.failure = failure
    async with create_app(wiring).test_app() as app:
        asking = asyncio.create_task(app.test_client().post(path, json={**body, **asked}))
        await asyncio.wait([asking], timeout=0.3)
        control.may_go_on.set()
        response = await asking
        text = await response.get_data(as_text=True)
    return response.status_code, text


async def test_a_stream_is_kept_alive_while_its_model_loads() -> None:
    status, text = await answered()

    assert status == 200
    assert text.startswith(":")
    assert '"content":"Hello"' in text
    assert text.endswith("data: [DONE]\n\n")


async def test_a_model_that_cannot_be_loaded_ends_the_stream_with_an_error() -> None:
    status, text = await answered(failure=ModelNotReady("The model cannot be loaded: why."))

    assert status == 200
    assert "The model cannot be loaded: why." in text
    assert text.endswith("data: [DONE]\n\n")


RESPONSE = {"model": "late", "input": "hi", "stream": True}
OTHERS = [
    ("/v1/responses", RESPONSE, "event: response.completed", "event: error"),
    ("/v1/responses", {**RESPONSE, "store": False}, "event: response.completed", "event: error"),
    ("/v1/chat/completions", {**ASKED, "session": "s1"}, '"content":"Hello"', '{"error":'),
    ("/chat/completions", {"model-name": "late", "prompt": "hi"}, "data: Hello", "data: __ERROR__"),
    ("/completions", {"model": "late", "prompt": "hi", "stream": True}, "Hello", "data: __ERROR__"),
]


@pytest.mark.parametrize(("path", "body", "part", "_error"), OTHERS)
async def test_every_dialect_is_kept_alive_while_its_model_loads(
    path: str, body: Mapping[str, Any], part: str, _error: str
) -> None:
    status, text = await answered(path=path, body=body)

    assert status == 200
    assert text.startswith(":")
    assert part in text
    assert "rror" not in text.replace('"error":null', "")


@pytest.mark.parametrize(("path", "body", "_part", "error"), OTHERS)
async def test_every_dialect_tells_of_a_failed_load_in_its_own_words(
    path: str, body: Mapping[str, Any], _part: str, error: str
) -> None:
    failure = ModelNotReady("The model cannot be loaded: why.")
    status, text = await answered(path=path, body=body, failure=failure)

    assert (status, error in text) == (200, True)
    assert text.count("The model cannot be loaded: why.") == 1


async def test_a_whole_answer_waits_for_its_model() -> None:
    status, text = await answered(stream=False)

    assert status == 200
    assert '"content":"Hello"' in text


async def test_who_leaves_before_the_first_event_leaves_no_stream_that_opens() -> None:
    opening, has_ended = asyncio.Event(), asyncio.Event()

    async def open_stream() -> Response:
        try:
            await opening.wait()
        finally:
            has_ended.set()
        return Response()

    record = RequestRecord("left")
    await patiently(open_stream(), record, patience_s=0.01, keepalive_s=60)
    await record.aclose()

    assert has_ended.is_set()


async def test_who_waits_for_a_model_while_the_server_stops_is_told_so() -> None:
    catalogue = FakeCatalogue(ServedModel("late", state="unloaded"))
    wiring = wired(FakeGenerator(words("Hello")), catalogue, settings(**QUICK))
    control = wiring.control
    assert isinstance(control, FakeControl)
    control.may_go_on.clear()
    app = create_app(wiring)
    generations = app.extensions["generations"]
    async with asyncio.timeout(5), app.test_app():
        asking = asyncio.create_task(generations.described("late"))
        while not control.calls:  # noqa: ASYNC110
            await asyncio.sleep(0)
        generations.drain(0.01)
        with pytest.raises(ShuttingDown):
            await asking
