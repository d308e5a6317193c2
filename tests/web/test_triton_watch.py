"""The watch over Triton: what is served, what has died, what is back."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack

import pytest

from frontend_api.adapters.triton_process import local_namespace
from frontend_api.domain.errors import BackendLost, ModelNotFound, ModelNotReady
from frontend_api.domain.generation import Delta
from tests.web.fake_triton import FakeTriton, accepted, delta, listening
from tests.web.triton_running import PATIENCE_S, connected, failed, ready, run, until


async def test_the_catalogue_shows_what_the_model_says_of_itself() -> None:
    async with ready(FakeTriton()) as triton:
        (model,) = triton.catalogue.listed()

    assert (model.name, model.engine, model.quantization) == ("demo", "fake", "none")
    assert (model.context_length, model.created) == (128, 1_700_000_000)
    assert model.capabilities == frozenset({"n", "seed"})


async def test_an_unknown_name_is_not_found_only_after_triton_was_seen() -> None:
    async with connected(1) as triton:
        with pytest.raises(BackendLost):
            triton.catalogue.get("other")
    async with ready(FakeTriton()) as triton:
        with pytest.raises(ModelNotFound):
            triton.catalogue.get("other")


async def test_only_the_chosen_models_are_served() -> None:
    fake = FakeTriton()
    fake.states = {"demo": "READY", "other": "READY"}
    async with listening(fake) as port, connected(port, "other") as triton:
        await until(lambda: triton.catalogue.readiness().is_ready)

        assert [model.name for model in triton.catalogue.listed()] == ["other"]


async def test_a_model_that_was_never_loaded_is_not_found() -> None:
    fake = FakeTriton()
    fake.states = {"demo": "READY", "idle": "UNAVAILABLE"}
    async with ready(fake) as triton:
        with pytest.raises(ModelNotFound):
            triton.catalogue.get("idle")


async def test_a_model_that_is_unloaded_stays_listed_but_is_not_ready() -> None:
    fake = FakeTriton()
    async with ready(fake) as triton:
        fake.states["demo"] = "UNAVAILABLE"
        await until(lambda: not triton.catalogue.readiness().is_ready)

        assert [model.is_ready for model in triton.catalogue.listed()] == [False]
        with pytest.raises(ModelNotReady):
            triton.catalogue.get("demo")


async def test_a_dead_model_process_ends_its_silent_streams_until_it_answers_again() -> None:
    fake = FakeTriton([accepted(1), asyncio.Event()])
    async with ready(fake) as triton:
        running = asyncio.create_task(failed(triton))
        await asyncio.wait_for(fake.started.wait(), PATIENCE_S)

        fake.describe_error = "Stub process 'demo_0_0' is not healthy."
        error = await asyncio.wait_for(running, PATIENCE_S)
        with pytest.raises(ModelNotReady):
            triton.catalogue.get("demo")
        fake.describe_error = ""
        await until(lambda: triton.catalogue.readiness().is_ready)

    assert isinstance(error, BackendLost)
    assert error.retry_after_s == 1


async def test_a_model_reloaded_unseen_loses_the_streams_it_left_silent() -> None:
    fake = FakeTriton([accepted(1), asyncio.Event()])
    async with ready(fake) as triton:
        running = asyncio.create_task(failed(triton))
        await asyncio.wait_for(fake.started.wait(), PATIENCE_S)

        fake.states["demo"] = "UNLOADING"
        await until(lambda: not triton.catalogue.readiness().is_ready)
        fake.states["demo"] = "READY"

        assert isinstance(await asyncio.wait_for(running, PATIENCE_S), BackendLost)


async def test_the_end_of_a_local_process_is_seen_at_once() -> None:
    fake = FakeTriton([accepted(1), asyncio.Event()])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE
    )
    fake.description["process"] = {"namespace": local_namespace(), "pid": process.pid}
    async with ready(fake) as triton:
        running = asyncio.create_task(failed(triton))
        await asyncio.wait_for(fake.started.wait(), PATIENCE_S)

        process.kill()

        assert isinstance(await asyncio.wait_for(running, PATIENCE_S), BackendLost)
        await process.wait()


async def test_a_process_of_another_machine_is_not_watched() -> None:
    fake = FakeTriton([delta("x", reason="stop")])
    fake.description["process"] = {"namespace": "another machine", "pid": os.getpid()}
    async with ready(fake) as triton:
        assert await run(triton) == [Delta(0, "x", 1, "stop")]


async def test_a_lost_connection_fails_the_stream_at_once_and_is_found_again() -> None:
    fake = FakeTriton([accepted(1), asyncio.Event()])
    again = FakeTriton([delta("x", reason="stop")])
    async with AsyncExitStack() as first:
        port = await first.enter_async_context(listening(fake))
        async with connected(port) as triton:
            await until(lambda: triton.catalogue.readiness().is_ready)
            running = asyncio.create_task(failed(triton))
            await asyncio.wait_for(fake.started.wait(), PATIENCE_S)

            await first.aclose()

            assert isinstance(await asyncio.wait_for(running, 1), BackendLost)
            with pytest.raises(ModelNotReady):
                triton.catalogue.get("demo")
            async with listening(again, port):
                await until(lambda: triton.catalogue.readiness().is_ready)
                assert await run(triton) == [Delta(0, "x", 1, "stop")]
