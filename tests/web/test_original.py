"""The original service's dialect over HTTP: its bodies, its answers, and not its defects."""

import json
from typing import Any

import pytest

from frontend_api.domain.errors import BackendLost, BadRequest
from frontend_api.domain.generation import Accepted, ChatMessage, ChatPrompt, TextPrompt
from frontend_api.domain.model import ServedModel
from frontend_api.service.callers import owned_name
from tests.web.fakes import DEMO, FakeCatalogue, FakeGenerator, Step, words
from tests.web.running import ask, events, running_app, served, settings

TEXT: dict[str, Any] = {"model": "demo", "prompt": "Once"}
CHAT: dict[str, Any] = {"model-name": "demo", "prompt": "Hi"}


async def post(url: str, body: object, steps: list[Step]) -> tuple[int, bytes]:
    async with running_app(FakeGenerator(steps)) as client:
        response = await client.post(url, json=body)
        return response.status_code, await response.get_data(as_text=False)


async def refusal(url: str, body: object) -> dict[str, Any]:
    status, answer = await post(url, body, words("x"))
    assert status == 400, answer
    error = json.loads(answer)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return dict(error)


async def asked(url: str, body: object, *models: ServedModel) -> Any:
    """Return the generation that a body asks for."""
    generator = FakeGenerator(words("x"))
    async with running_app(generator, FakeCatalogue(*models)) as client:
        response = await client.post(url, json=body)
        assert response.status_code == 200, await response.get_data()
    return generator.requests[0]


async def test_all_models_are_listed_by_name_loaded_or_not() -> None:
    catalogue = FakeCatalogue(ServedModel("a", state="unloaded"), DEMO)
    async with running_app(catalogue=catalogue) as client:
        listed = await (await client.get("/models")).get_json()

    assert listed == {"models": ["a", "demo"]}


async def test_a_model_is_described_with_four_fields() -> None:
    async with running_app() as client:
        model = await (await client.get("/models/demo")).get_json()

    assert model == {"id": "demo", "name": "demo", "context_length": 4096, "quantization": "none"}


async def test_an_unknown_model_is_a_404_and_not_a_200_with_an_error() -> None:
    async with running_app() as client:
        response = await client.get("/models/other")
        error = (await response.get_json())["error"]

    assert response.status_code == 404
    assert error["code"] == "model_not_found"


async def test_a_completion_is_text_model_and_tokens() -> None:
    status, answer = await post("/completions", TEXT, words(" upon", " a time"))

    assert status == 200
    assert json.loads(answer) == {"text": " upon a time", "model": "demo", "tokens": 2}


async def test_a_completion_has_the_originals_defaults() -> None:
    request = await asked("/completions", TEXT)

    assert request.prompt == TextPrompt("Once")
    assert (request.max_tokens, request.temperature, request.top_p) == (128, 0.7, 0.95)
    assert (request.stop, request.stream) == ((), False)


async def test_a_streamed_completion_is_events_of_text_and_nothing_else() -> None:
    status, answer = await post("/completions", {**TEXT, "stream": True}, words("a\nb", " c"))

    assert status == 200
    # The two deltas may have been merged; their text is the same then.
    assert answer in (b"data: a\ndata: b\n\ndata:  c\n\n", b"data: a\ndata: b c\n\n")


@pytest.mark.parametrize("field", [{"n": 1}, {"seed": 3}, {"prompt": ["a"]}, {"echo": False}])
async def test_a_completion_with_fields_of_openai_is_answered_as_there(
    field: dict[str, Any],
) -> None:
    status, answer = await post("/completions", {**TEXT, **field}, words("x"))

    assert status == 200
    assert json.loads(answer)["object"] == "text_completion"


async def test_a_chat_is_always_a_stream_of_text() -> None:
    async with served(FakeGenerator([Accepted(1), *words("Good", " day\n")])) as running:
        response = await running.client.post("/chat/completions", json=CHAT)

    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.text.startswith("data: Good")
    assert "[DONE]" not in response.text


async def test_a_chat_has_the_originals_defaults() -> None:
    request = await asked("/chat/completions", CHAT)

    assert request.prompt == ChatPrompt((ChatMessage("user", "Hi"),))
    assert (request.max_tokens, request.temperature, request.top_p) == (512, 0.7, 0.95)
    assert (request.top_k, request.repetition_penalty, request.stop) == (40, 1.1, ())
    assert request.stream


async def test_every_field_of_a_chat_reaches_the_model() -> None:
    body = {
        **CHAT, "max-token": 9, "temperature": 0.1, "top-p": 0.5, "top-k": 3, "repeat-penalty": 1.3,
        "system-prompt": "Be brief.", "stop": ["END"], "device": "cuda", "session-id": None,
    }  # fmt: skip

    request = await asked("/chat/completions", body)

    system, user = request.prompt.messages
    assert (system, user) == (ChatMessage("system", "Be brief."), ChatMessage("user", "Hi"))
    assert (request.max_tokens, request.temperature, request.top_p) == (9, 0.1, 0.5)
    assert (request.top_k, request.repetition_penalty, request.stop) == (3, 1.3, ("END",))


async def test_the_web_uis_messages_set_the_system_prompt_and_the_prompt_comes_once() -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]

    request = await asked("/chat/completions", {**CHAT, "messages": messages})

    assert [turn.role for turn in request.prompt.messages] == ["system", "user"]


async def test_defaults_that_the_engine_cannot_do_are_left_out_but_wishes_are_refused() -> None:
    plain = ServedModel("demo", capabilities=frozenset())

    request = await asked("/chat/completions", CHAT, plain)
    async with running_app(catalogue=FakeCatalogue(plain)) as client:
        response = await client.post("/chat/completions", json={**CHAT, "top-k": 5})
        error = (await response.get_json())["error"]

    assert (request.top_k, request.repetition_penalty) == (None, None)
    assert (error["param"], error["code"]) == ("top-k", "unsupported_parameter")


async def test_a_body_with_messages_is_answered_as_openai() -> None:
    status, answer = await post("/chat/completions", ask(), words("x"))

    assert status == 200
    assert json.loads(answer)["object"] == "chat.completion"


async def test_an_openai_body_at_the_root_streams_as_openai() -> None:
    _, answer = await post("/chat/completions", ask(stream=True), words("x"))

    assert events(answer)[-1] == "[DONE]"


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"session-id": "s/1"}, "session-id", "invalid_value"),
        ({"session-id": ""}, "session-id", "invalid_value"),
        ({"session-id": {"$ne": None}}, "session-id", "invalid_type"),
        ({"session-id": "s" * 129}, "session-id", "string_above_max_length"),
        ({"model-dir": "/etc"}, "model-dir", "unsupported_parameter"),
        ({"device": "tpu"}, "device", "invalid_value"),
        ({"temperature": 3}, "temperature", "decimal_above_max_value"),
        ({"max-token": 0}, "max-token", "integer_below_min_value"),
        ({"top-p": 1.5}, "top-p", "decimal_above_max_value"),
        ({"prompt": 5}, "prompt", "invalid_type"),
        ({"max_token": 5}, "max_token", "unknown_parameter"),
        ({"stop": ["a"] * 65}, "stop", "array_above_max_length"),
    ],
)
async def test_a_wrong_chat_field_is_refused_by_its_own_name(
    change: dict[str, Any], param: str, code: str
) -> None:
    error = await refusal("/chat/completions", {**CHAT, **change})

    assert (error["param"], error["code"]) == (param, code)


async def test_a_prompt_without_a_model_is_missing_the_originals_field() -> None:
    error = await refusal("/chat/completions", {"prompt": "Hi"})

    assert error["param"] == "model-name"


@pytest.mark.parametrize("url", ["/completions", "/chat/completions"])
async def test_what_is_no_json_is_refused_in_openais_words(url: str) -> None:
    async with running_app() as client:
        response = await client.post(url, data=b"{")

    assert response.status_code == 400
    assert "could not parse the JSON body" in (await response.get_json())["error"]["message"]


@pytest.mark.parametrize("url", ["/completions", "/chat/completions"])
async def test_a_refused_request_is_a_real_status_also_when_it_streams(url: str) -> None:
    body = {**(TEXT if url == "/completions" else CHAT), "stream": True}

    status, answer = await post(url, body, [BadRequest("no", param="prompt")])

    assert status == 400
    assert json.loads(answer)["error"]["message"] == "no"


async def test_an_error_in_a_stream_is_its_last_event() -> None:
    steps: list[Step] = [*words("a\n", "b")[:1], BackendLost("The model is gone.")]

    _, answer = await post("/chat/completions", CHAT, steps)

    assert answer == b"data: a\ndata: \n\ndata: __ERROR__:The model is gone.\n\n"


async def test_a_client_that_leaves_stops_its_generation() -> None:
    generator = FakeGenerator([*words("a", "b")[:1], "hang"])
    async with (
        served(generator) as running,
        running.client.stream("POST", "/chat/completions", json=CHAT) as response,
    ):
        await anext(response.aiter_bytes())
        await response.aclose()

        await generator.closed.wait()


async def test_a_silent_stream_is_kept_open_by_comments() -> None:
    chosen = settings(server={"keepalive_interval_s": 0.02})
    generator = FakeGenerator([Accepted(1), "hang"])
    async with (
        served(generator, chosen) as running,
        running.client.stream("POST", "/chat/completions", json=CHAT) as response,
    ):
        assert await anext(response.aiter_bytes()) == b": keepalive\n\n"


async def test_a_generation_can_be_found_by_its_request_id() -> None:
    generator = FakeGenerator([Accepted(1), "hang"])
    async with (
        served(generator) as running,
        running.client.stream(
            "POST", "/chat/completions", json=CHAT, headers={"x-request-id": "mine"}
        ),
    ):
        assert len(running.generations.named(owned_name("mine"))) == 1
