"""Several Tritons behind one address, as docker/haproxy has them: each loses its own only."""

import asyncio
from itertools import chain, cycle, repeat

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from frontend_api.adapters.triton import Triton
from frontend_api.adapters.triton_errors import from_grpc
from frontend_api.domain.errors import BackendLost, EngineFailed, ServiceError
from frontend_api.domain.generation import Accepted, Delta, TextPrompt
from tests.web.fake_triton import FakeTriton, accepted, delta
from tests.web.triton_running import PATIENCE_S, failed, ready, run

STUB_DIED = "Stub process 'demo_0_0' is not healthy."


def several(*answers: "dict[str, bytes] | str | asyncio.Event") -> FakeTriton:
    fake = FakeTriton(answers)
    fake.describers = cycle(["a", "b"])
    fake.generators = cycle(["a", "b"])
    return fake


def spoken(events: list[Accepted | Delta]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


async def test_what_a_dead_one_has_not_begun_is_asked_of_the_others() -> None:
    fake = several(accepted(2), delta("Hi", reason="stop"))
    async with ready(fake) as triton:
        fake.dead = {"a"}

        said = [spoken(await run(triton)) for _ in range(4)]

    assert said == ["Hi"] * 4
    assert len(fake.requests) == 4


async def test_the_model_stays_ready_while_one_of_several_has_it() -> None:
    fake = several()
    async with ready(fake) as triton:
        fake.dead = {"a"}
        fake.describers = chain(["a"] * 3, ["b"], repeat("a", 3), cycle(["b"]))
        await looked_at(triton, times=3)

        assert triton.catalogue.readiness().is_ready


async def test_the_model_is_lost_when_none_of_several_has_it() -> None:
    fake = several()
    async with ready(fake) as triton:
        fake.dead = {"a", "b"}
        await looked_at(triton, times=2)

        assert not triton.catalogue.readiness().is_ready


async def test_a_dead_one_ends_its_own_streams_only() -> None:
    released = asyncio.Event()
    fake = several(delta("Be"), released, delta("gun", reason="stop"))
    async with ready(fake) as triton:
        on_a, on_b = asyncio.create_task(ended(triton)), asyncio.create_task(ended(triton))
        async with asyncio.timeout(PATIENCE_S):
            while len(fake.requests) < 2:  # noqa: ASYNC110 (the fake has no Event for the second)
                await asyncio.sleep(0.005)
        fake.dead = {"a"}

        first = await on_a
        released.set()
        second = await on_b

    assert isinstance(first, BackendLost)
    assert second == "Begun"


async def test_an_answer_that_has_begun_is_never_begun_again() -> None:
    fake = several(accepted(2), delta("Be"), STUB_DIED)
    async with ready(fake) as triton:
        error = await failed(triton)

    assert isinstance(error, BackendLost)
    assert len(fake.requests) == 1


async def test_texts_are_tokenized_by_another_when_one_is_dead() -> None:
    fake = several({"output_ids": b"\x05\0\0\0"})
    async with ready(fake) as triton:
        fake.dead = {"a"}

        ids = await triton.tokenizing.tokenize("demo", TextPrompt("hi"))

    assert list(ids) == [5]


@pytest.mark.parametrize(
    ("code", "details", "kind"),
    [
        (StatusCode.UNKNOWN, "Stream removed (Data frame with END_STREAM flag)", BackendLost),
        (StatusCode.INTERNAL, "Received RST_STREAM with error code 2", BackendLost),
        (StatusCode.INTERNAL, "Internal error from Core", BackendLost),
        (StatusCode.INTERNAL, "something else", EngineFailed),
    ],
)
def test_a_stream_that_a_balancer_cuts_off_means_a_lost_backend(
    code: StatusCode, details: str, kind: type[ServiceError]
) -> None:
    assert type(from_grpc(AioRpcError(code, Metadata(), Metadata(), details))) is kind


async def looked_at(triton: Triton, times: int) -> None:
    """Return when the watch has looked so often."""
    for _ in range(times):
        await triton._watch.look()


async def ended(triton: Triton) -> str | ServiceError:
    """Return what a generation said, or the error that ended it."""
    try:
        return spoken(await run(triton))
    except ServiceError as error:
        return error
