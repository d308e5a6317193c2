"""Ten thousand requests, right and wrong: none may break the server, or find it speechless.

The requests are made from /openapi.json, so a new endpoint is attacked as soon as it exists.
Derandomized: the same requests in every run.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, cast

import httpx
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frontend_api.app import create_app
from frontend_api.domain.generation import Accepted
from tests.fuzz.fuzzing import attempts, batches, raw
from tests.web.description import Description, Operation
from tests.web.fakes import FakeGenerator, words
from tests.web.running import wired

# Far beyond what any answer takes here: more is a hang.
HANG_S: Final = 10
ERROR: Final = {"$ref": "#/components/schemas/Error"}
SAYS: Final = Description.of(create_app(wired(FakeGenerator())))
WITH_BODY: Final = [each for each in SAYS.operations if each.body_schema is not None]
WITHOUT_BODY: Final = [each for each in SAYS.operations if each.body_schema is None]


def steadily(max_examples: int) -> settings:
    return settings(
        max_examples=max_examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module", autouse=True)
def _without_request_log() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(wired(FakeGenerator([Accepted(3), *words("Good", " day")])))
    transport = httpx.ASGITransport(cast(Any, app))
    async with (
        app.test_app(),
        httpx.AsyncClient(transport=transport, base_url="http://conch") as client,
    ):
        yield client


async def faults(
    client: httpx.AsyncClient, operation: Operation, path: str, content: bytes, **headers: str
) -> list[str]:
    """Send a request; return what is wrong with its answer."""
    request = client.build_request(operation.method, path, content=content)
    request.headers.update(headers)
    async with asyncio.timeout(HANG_S):
        answer = await client.send(request)
    if answer.status_code >= 500:
        return [f"{answer.status_code}: {answer.text}"]
    if answer.status_code in (404, 405) and answer.status_code not in operation.says["responses"]:
        return SAYS.faults(ERROR, answer.json())
    return SAYS.faults_of_answer(operation, answer)


@pytest.mark.timeout(600)
@steadily(850)
@given(batches(attempts(SAYS, WITH_BODY)))
async def test_any_body_is_answered_as_documented(
    client: httpx.AsyncClient, batch: list[tuple[Operation, bytes]]
) -> None:
    found = [
        (operation, body, wrong)
        for operation, body in batch
        for wrong in await faults(client, operation, operation.path, body)
    ]

    assert found == []


@pytest.mark.timeout(300)
@steadily(100)
@given(batches(st.tuples(st.sampled_from(WITH_BODY), raw())))
async def test_any_bytes_are_answered_as_documented(
    client: httpx.AsyncClient, batch: list[tuple[Operation, bytes]]
) -> None:
    found = [
        (operation, body[:100], wrong)
        for operation, body in batch
        for wrong in await faults(client, operation, operation.path, body)
    ]

    assert found == []


@pytest.mark.timeout(300)
@steadily(600)
@given(
    st.sampled_from(WITHOUT_BODY),
    st.text(max_size=40),
    st.text(max_size=40),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
)
async def test_any_address_is_answered_as_documented(
    client: httpx.AsyncClient, operation: Operation, name: str, query: str, header: str
) -> None:
    path = operation.path.partition("{")[0] + (name if "{" in operation.path else "")
    address = str(httpx.URL(f"http://conch{path.encode('unicode_escape').decode()}"))

    found = await faults(
        client,
        operation,
        httpx.URL(address, params={"q": query}).raw_path.decode(),
        b"",
        **{"x-request-id": header, "accept": header, "content-type": header},
    )

    assert found == []


@pytest.mark.timeout(300)
@steadily(50)
@given(batches(attempts(SAYS, WITH_BODY)))
async def test_what_is_accepted_fits_the_documented_schema(
    client: httpx.AsyncClient, batch: list[tuple[Operation, bytes]]
) -> None:
    accepted = [
        (operation, body)
        for operation, body in batch
        if (await client.request(operation.method, operation.path, content=body)).is_success
    ]

    assert [
        (operation, body, wrong)
        for operation, body in accepted
        for wrong in SAYS.faults(operation.body_schema or {}, json.loads(body))
    ] == []
