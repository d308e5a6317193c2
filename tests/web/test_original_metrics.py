"""The original service's metrics: its names, each request counted once, all dialects in one."""

import pytest
import quart.typing

from frontend_api.app import create_app
from frontend_api.domain.errors import BackendLost
from frontend_api.telemetry.original import ASKED_FOR
from tests.web.fakes import FakeGenerator, words
from tests.web.running import ask, running_app, wired

TEXT = {"model": "demo", "prompt": "Once"}
CHAT = {"model-name": "demo", "prompt": "Hi"}


async def sample(client: quart.typing.TestClientProtocol, name: str) -> float:
    page = await (await client.get("/metrics")).get_data(as_text=True)
    values = [line.split()[1] for line in page.splitlines() if line.split()[0] == name]
    return float(values[0])


def test_every_counted_route_exists() -> None:
    rules = {rule.rule for rule in create_app(wired(FakeGenerator())).url_map.iter_rules()}

    assert ASKED_FOR.keys() <= rules


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/health", "health_check"),
        ("/readiness", "readiness_check"),
        ("/models", "models_list"),
        ("/v1/models", "models_list"),
        ("/models/demo", "model_info"),
        ("/models/other", "model_info"),
        ("/chat/history/nobody", "history"),
    ],
)
async def test_a_question_is_counted_once(url: str, name: str) -> None:
    async with running_app() as client:
        await client.get(url)

        assert await sample(client, f"{name}_requests_total") == 1


@pytest.mark.parametrize(
    ("url", "body"),
    [("/completions", TEXT), ("/completions", {**TEXT, "n": 1}), ("/v1/completions", TEXT)],
)
async def test_a_text_is_counted_once_in_every_dialect(url: str, body: dict[str, object]) -> None:
    async with running_app(FakeGenerator(words("a", "b"))) as client:
        await client.post(url, json=body)

        assert await sample(client, "completions_requests_total") == 1
        assert await sample(client, "completions_tokens_total") == 2
        assert await sample(client, "completions_duration_seconds_count") == 1
        assert await sample(client, "completions_tokens_per_second_count") == 1
        assert await sample(client, "completions_errors_total") == 0


@pytest.mark.parametrize(
    ("url", "body"),
    [("/chat/completions", CHAT), ("/chat/completions", ask()), ("/v1/chat/completions", ask())],
)
async def test_a_chat_is_counted_once_in_every_dialect(url: str, body: dict[str, object]) -> None:
    async with running_app(FakeGenerator(words("a", "b"))) as client:
        await (await client.post(url, json=body)).get_data()

        assert await sample(client, "chat_completions_requests_total") == 1
        assert await sample(client, "chat_generated_tokens_total") == 2
        assert await sample(client, "chat_inference_duration_seconds_count") == 1
        assert await sample(client, "chat_tokens_per_second_count") == 1


@pytest.mark.parametrize("body", [{}, CHAT, {**CHAT, "model-name": "other"}])
async def test_an_error_is_counted_once_whether_refused_or_in_a_stream(
    body: dict[str, object],
) -> None:
    steps = [*words("a", "b")[:1], BackendLost("gone")]
    async with running_app(FakeGenerator(steps)) as client:
        await (await client.post("/chat/completions", json=body)).get_data()

        assert await sample(client, "chat_completions_errors_total") == 1
