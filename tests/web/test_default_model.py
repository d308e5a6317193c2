"""[models] default: the model of requests that name none, in every dialect."""

from typing import Any, Final

import pytest

from frontend_api.settings import Settings
from tests.web.fakes import FakeCatalogue, FakeGenerator
from tests.web.running import running_app, settings

TURNS: Final = [{"role": "user", "content": "hi"}]
BODIES: Final = [
    ("/v1/chat/completions", {"messages": TURNS}),
    ("/v1/completions", {"prompt": "hi", "temperature": 0}),
    ("/v1/responses", {"input": "hi"}),
    ("/tokenize", {"prompt": "hi"}),
    ("/chat/completions", {"prompt": "hi"}),
    ("/completions", {"prompt": "hi"}),
]


def with_default(name: str) -> Settings:
    return settings(models={"default": name, "aliases": {"small": "demo"}})


async def posted(url: str, body: dict[str, Any], chosen: Settings | None) -> tuple[int, Any]:
    async with running_app(FakeGenerator(), FakeCatalogue(), chosen) as client:
        response = await client.post(url, json=body)
        return response.status_code, await response.get_json()


@pytest.mark.parametrize(("url", "body"), BODIES)
async def test_the_default_model_answers_who_names_none(url: str, body: dict[str, Any]) -> None:
    refused, sentence = await posted(url, body, None)
    answered, answer = await posted(url, body, with_default("small"))

    assert refused == 400
    assert "model" in sentence["error"]["message"]
    assert answered == 200, answer


async def test_a_named_model_is_asked_for_in_spite_of_a_default() -> None:
    status, sentence = await posted(
        "/v1/chat/completions", {"model": "other", "messages": TURNS}, with_default("demo")
    )

    assert status == 404
    assert "`other`" in sentence["error"]["message"]


async def test_the_answer_names_the_model_that_ran() -> None:
    _, answer = await posted("/v1/chat/completions", {"messages": TURNS}, with_default("small"))

    assert answer["model"] == "demo"
