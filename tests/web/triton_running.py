"""The Triton adapter connected to a fake server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from frontend_api.adapters.triton import Triton
from frontend_api.domain.errors import ServiceError
from frontend_api.domain.generation import Accepted, Delta, GenerationRequest, TextPrompt
from frontend_api.settings import ModelSettings, TritonSettings
from tests.web.fake_triton import FakeTriton, listening

PATIENCE_S = 5
REQUEST = GenerationRequest(model="demo", prompt=TextPrompt("hi"), stream=True, max_tokens=4)


@asynccontextmanager
async def connected(
    port: int,
    *served: str,
    queue_timeout_s: float = PATIENCE_S,
    chat_templates: dict[str, str] | None = None,
) -> AsyncIterator[Triton]:
    settings = TritonSettings(
        url=f"127.0.0.1:{port}",
        probe_interval_s=0.02,
        probe_timeout_s=0.5,
        connect_timeout_s=1,
        queue_timeout_s=queue_timeout_s,
    )
    models = ModelSettings(served=served, chat_templates=chat_templates or {})
    triton = Triton(settings, models)
    async with triton.running():
        yield triton


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - the watch is seen from outside only
            await asyncio.sleep(0.005)


@asynccontextmanager
async def ready(fake: FakeTriton, queue_timeout_s: float = PATIENCE_S) -> AsyncIterator[Triton]:
    async with (
        listening(fake) as port,
        connected(port, queue_timeout_s=queue_timeout_s) as triton,
    ):
        await until(lambda: triton.catalogue.readiness().is_ready)
        yield triton


async def run(triton: Triton, request: GenerationRequest = REQUEST) -> list[Accepted | Delta]:
    async with asyncio.timeout(PATIENCE_S):
        return [event async for event in triton.generator.generate(request)]


async def failed(triton: Triton, request: GenerationRequest = REQUEST) -> ServiceError:
    with pytest.raises(ServiceError) as failure:
        await run(triton, request)
    return failure.value
