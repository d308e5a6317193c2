"""/openapi.json: valid, complete, and true of every answer."""

import re
import tomllib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from openapi_spec_validator import validate
from quart import Quart

from frontend_api.app import create_app
from frontend_api.domain.errors import (
    BackendLost,
    ContextTooLong,
    EngineFailed,
    InternalFault,
    Overloaded,
    ServiceError,
    TimedOut,
)
from frontend_api.domain.generation import Accepted, Delta
from frontend_api.web.openapi import VERSION, methods_of, path_of
from tests.web.description import Description
from tests.web.fakes import DEMO, FakeCatalogue, FakeGenerator, Step, words
from tests.web.running import ask, wired

CHAT = ("post", "/v1/chat/completions")
TEXT = ("post", "/v1/completions")


@pytest.fixture
def generator() -> FakeGenerator:
    return FakeGenerator([Accepted(3), *words("Good", " day")])


@pytest.fixture
def app(generator: FakeGenerator) -> Quart:
    return create_app(wired(generator))


@pytest.fixture(scope="module")
def says() -> Description:
    return Description.of(create_app(wired(FakeGenerator())))


@pytest.fixture
async def client(app: Quart) -> AsyncIterator[httpx.AsyncClient]:
    async with app.test_app(), in_memory(app) as client:
        yield client


async def test_the_document_is_valid_openapi_3_1(client: httpx.AsyncClient) -> None:
    response = await client.get("/openapi.json")

    document = response.json()
    assert document["openapi"].startswith("3.1.")
    validate(document)


async def test_it_is_the_same_document_each_time(client: httpx.AsyncClient) -> None:
    first = (await client.get("/openapi.json")).content
    second = (await client.get("/openapi.json")).content

    assert first == second


def test_every_route_is_in_the_document_and_nothing_else(app: Quart, says: Description) -> None:
    routes = {(path_of(r), method) for r in app.url_map.iter_rules() for method in methods_of(r)}

    documented = {(operation.path, operation.method) for operation in says.operations}

    assert documented == routes


def test_every_operation_has_words_a_name_of_its_own_and_a_fault(says: Description) -> None:
    operations = list(says.operations)

    assert all(each.says["summary"] and each.says["tags"] for each in operations)
    assert len({each.says["operationId"] for each in operations}) == len(operations)
    assert all("500" in each.says["responses"] for each in operations)


def test_every_failure_is_the_error_object(says: Description) -> None:
    schemas = {
        (each.path, status): answer["content"]["application/json"]["schema"]
        for each in says.operations
        for status, answer in each.says["responses"].items()
        if int(status) >= 400
    }

    others = {key for key, schema in schemas.items() if schema != _ref("Error")}
    # A load balancer reads it: the reason is told in the words of the 200.
    assert others == {("/readiness", "503")}


def test_the_objects_of_requests_and_answers_allow_no_other_field(says: Description) -> None:
    schemas = says.document["components"]["schemas"]

    # What others have exported holds more than anybody has documented.
    objects = {
        name: each
        for name, each in schemas.items()
        if each.get("type") == "object" and not name.startswith("ChatGpt")
    }

    assert [
        name for name, each in objects.items() if each.get("additionalProperties") is None
    ] == []


def test_the_version_is_the_project_s() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]

    assert project["version"] == VERSION


async def test_every_example_is_answered_and_as_documented(
    client: httpx.AsyncClient, says: Description
) -> None:
    with_body = [each for each in says.operations if each.body_schema is not None]
    session = (await client.post("/v1/conversations", json={})).json()
    key = (await client.post("/admin/keys", json={"name": "x"})).json()

    for operation in with_body:
        path = operation.path.replace("{key_id}", key["id"])
        path = re.sub(r"{\w+}", session["id"], path)
        response = await client.request(operation.method, path, json=operation.example)

        assert response.status_code == 200
        assert says.faults(operation.body_schema or {}, operation.example) == []
        assert says.faults_of_answer(operation, response) == []
    assert len(with_body) >= 2


@pytest.mark.parametrize(
    "path",
    ["/health", "/readiness", "/metrics", "/v1/models", "/openapi.json", "/docs", "/nothing"],
)
async def test_what_is_read_is_as_documented(
    client: httpx.AsyncClient, says: Description, path: str
) -> None:
    response = await client.get(path)

    if path == "/nothing":
        assert says.faults(_ref("Error"), response.json()) == []
    else:
        operation = says.operation("get", path)
        assert says.faults_of_answer(operation, response) == []


@pytest.mark.parametrize("name", ["demo", "nobody"])
async def test_a_model_found_or_not_is_as_documented(
    client: httpx.AsyncClient, says: Description, name: str
) -> None:
    response = await client.get(f"/v1/models/{name}")

    operation = says.operation("get", "/v1/models/{model_id}")
    assert says.faults_of_answer(operation, response) == []


async def test_unreadiness_is_as_documented(generator: FakeGenerator) -> None:
    catalogue = FakeCatalogue()
    catalogue.models.clear()
    app = create_app(wired(generator, catalogue))
    async with in_memory(app) as client:
        response = await client.get("/readiness")

    says = Description.of(app)
    assert response.status_code == 503
    assert says.faults_of_answer(says.operation("get", "/readiness"), response) == []


FORMS = [
    (*CHAT, ask()),
    (*CHAT, ask(n=2, max_tokens=3, x_mine={"a": 1})),
    (*CHAT, ask(logprobs=True, service_tier="auto")),
    (*CHAT, ask(return_token_ids=True)),
    (*CHAT, ask(session="mine")),
    (*CHAT, ask(store=True, stream=True, stream_options={"include_usage": True})),
    (*CHAT, ask(stream=True)),
    (*CHAT, ask(stream=True, stream_options={"include_usage": True})),
    (*CHAT, ask(stream=True, logprobs=True, stream_options={"continuous_usage_stats": True})),
    (*TEXT, {"model": "demo", "prompt": "a", "suffix": False}),
    (*TEXT, {"model": "demo", "prompt": ["a", "b"], "stop": "x", "logprobs": 0}),
    (*TEXT, {"model": "demo", "prompt": [1, 2], "return_token_ids": True}),
    (*TEXT, {"model": "demo", "prompt": [[1, 2]], "stream": True}),
    ("post", "/completions", {"model": "demo", "prompt": "a", "stream": True}),
    ("post", "/completions", {"model": "demo", "prompt": "a", "n": 1}),
    ("post", "/chat/completions", ask()),
]


@pytest.mark.parametrize(("method", "path", "body"), FORMS)
async def test_every_form_of_a_completion_is_as_documented(
    client: httpx.AsyncClient, says: Description, method: str, path: str, body: dict[str, object]
) -> None:
    operation = says.operation(method, path)

    response = await client.request(method, path, json=body)

    assert response.status_code == 200
    assert says.faults(operation.body_schema or {}, body) == []
    assert says.faults_of_answer(operation, response) == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_reasoning_and_tool_calls_are_as_documented(says: Description, stream: bool) -> None:
    model = replace(DEMO, tool_format="hermes", reasoning_format="think")
    said = '<think>Hm.</think>Yes.<tool_call>{"name": "look", "arguments": {"at": 1}}</tool_call>'
    app = create_app(wired(FakeGenerator([Accepted(3), *words(said)]), FakeCatalogue(model)))
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    async with app.test_app(), in_memory(app) as client:
        response = await client.post(CHAT[1], json=ask(tools=[tool], stream=stream))

    assert "reasoning_content" in response.text
    assert "tool_calls" in response.text
    assert says.faults_of_answer(says.operation(*CHAT), response) == []


@pytest.mark.parametrize(
    "error",
    [
        BackendLost("x"),
        ContextTooLong("x", extra={"n_prompt_tokens": 9, "n_ctx": 8}),
        EngineFailed("x"),
        InternalFault("x"),
        Overloaded("x"),
        TimedOut("x"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("begun", [[], [Delta(0, "Good", 1)]], ids=["at once", "later"])
async def test_every_failure_of_a_generation_is_as_documented(
    generator: FakeGenerator,
    client: httpx.AsyncClient,
    says: Description,
    error: ServiceError,
    begun: list[Step],
) -> None:
    generator.steps = [*begun, error]

    whole = await client.post(CHAT[1], json=ask())
    stream = await client.post(CHAT[1], json=ask(stream=True))

    assert whole.status_code == error.status
    assert stream.status_code == (200 if begun else error.status)
    for response in (whole, stream):
        assert says.faults_of_answer(says.operation(*CHAT), response) == []


@pytest.mark.parametrize(
    "body", [b"{", b"null", b"{}", b"\xff", b'{"model": "nobody", "prompt": "a"}', b"x" * 2_000_000]
)
async def test_every_refusal_of_a_body_is_as_documented(
    client: httpx.AsyncClient, says: Description, body: bytes
) -> None:
    response = await client.post(TEXT[1], content=body)

    assert 400 <= response.status_code < 500
    operation = says.operation(*TEXT)
    assert says.faults_of_answer(operation, response) == []


def in_memory(app: Quart) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(cast(Any, app)), base_url="http://localhost"
    )


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
