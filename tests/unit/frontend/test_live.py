"""A generation while it runs: reading, waiting, ending."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from frontend_api.domain.errors import (
    BackendLost,
    InternalFault,
    ModelNotReady,
    ServiceError,
    TimedOut,
)
from frontend_api.domain.generation import (
    Accepted,
    Delta,
    GenerationRequest,
    TextPrompt,
    Usage,
)
from frontend_api.domain.model import ServedModel
from frontend_api.service.admission import Gates, Work
from frontend_api.service.callers import Caller
from frontend_api.service.live import Deadlines, LiveGeneration
from tests.web.fakes import HANG, FakeGenerator, Step, words

PATIENT = Deadlines(first_s=5, between_s=5, total_s=5)
REQUEST = GenerationRequest(model="demo", prompt=TextPrompt("hi"))


def started(
    *generators: FakeGenerator,
    deadlines: Deadlines = PATIENT,
    on_end: Callable[[LiveGeneration], None] = lambda _: None,
    gates: Gates | None = None,
) -> LiveGeneration:
    work = Work(
        caller=Caller(),
        model=ServedModel("demo"),
        request_id="",
        num_sequences=len(generators),
        max_tokens=None,
        usage=Usage(),
    )
    return LiveGeneration(
        work,
        lambda _: [generator.generate(REQUEST) for generator in generators],
        deadlines,
        on_end,
        gates=gates or Gates(),
        num_runs=len(generators),
    )


@asynccontextmanager
async def live(
    *generators: FakeGenerator, deadlines: Deadlines = PATIENT
) -> AsyncIterator[LiveGeneration]:
    generation = started(*generators, deadlines=deadlines)
    try:
        yield generation
    finally:
        await generation.aclose()


def playing(*steps: Step) -> FakeGenerator:
    return FakeGenerator(steps)


async def taken(generation: LiveGeneration) -> list[Delta]:
    deltas: list[Delta] = []
    while (some := await generation.take(5)) is not None:
        deltas.extend(some)
    return deltas


async def test_deltas_arrive_in_order_and_usage_is_counted() -> None:
    async with live(playing(Accepted(7), *words("a", "b", "c"))) as generation:
        deltas = await taken(generation)

    assert "".join(delta.text for delta in deltas) == "abc"
    assert (generation.usage.prompt_tokens, generation.usage.completion_tokens) == (7, 3)
    assert generation.outcome == "completed"


async def test_a_late_reader_gets_one_merged_delta() -> None:
    generator = playing(Accepted(1), *words("a", "b", "c"))
    async with live(generator) as generation:
        await asyncio.wait_for(generator.closed.wait(), 2)

        deltas = await generation.take(5)

    assert deltas == [Delta(0, "abc", 3, "stop")]


async def test_accepted_returns_as_soon_as_the_model_has_taken_the_request() -> None:
    async with live(playing(Accepted(3), HANG)) as generation:
        await asyncio.wait_for(generation.accepted(within_s=60), 2)

    assert generation.usage.prompt_tokens == 3


async def test_accepted_returns_when_waiting_takes_too_long() -> None:
    async with live(playing(HANG)) as generation:
        await asyncio.wait_for(generation.accepted(within_s=0.01), 2)

    assert generation.outcome == "cancelled"


async def test_accepted_raises_what_the_model_refused() -> None:
    async with live(playing(BackendLost("gone"))) as generation:
        with pytest.raises(BackendLost):
            await generation.accepted(within_s=60)


async def test_patience_ends_with_nothing_and_the_stream_goes_on() -> None:
    goes_on = asyncio.Event()
    async with live(playing(Accepted(1), goes_on, *words("a"))) as generation:
        nothing: Sequence[Delta] | None = await generation.take(0.01)
        goes_on.set()
        something = await generation.take(5)

    assert nothing == ()
    assert something == [Delta(0, "a", 1, "stop")]


async def test_an_error_comes_after_the_text_before_it() -> None:
    async with live(playing(Delta(0, "a", 1), BackendLost("gone"))) as generation:
        first = await generation.take(5)
        with pytest.raises(BackendLost):
            await generation.take(5)

    assert first == [Delta(0, "a", 1)]
    assert generation.outcome == "backend_unavailable"


async def test_closing_unread_cancels_the_run() -> None:
    generator = playing(Accepted(1), HANG)
    async with live(generator):
        await asyncio.wait_for(generator.opened.wait(), 2)

    assert generator.num_open == 0


async def test_closing_before_the_first_step_still_ends_it() -> None:
    ended: list[LiveGeneration] = []
    generator = playing(HANG)
    generation = started(generator, on_end=ended.append)

    await generation.aclose()

    assert ended == [generation]
    assert generation.outcome == "cancelled"


@pytest.mark.parametrize(
    ("steps", "deadlines", "sentence"),
    [
        ((HANG,), Deadlines(0.01, 5, 5), "first token"),
        ((Accepted(1), HANG), Deadlines(0.01, 5, 5), "first token"),
        ((Delta(0, "a", 1), HANG), Deadlines(5, 0.01, 5), "next token"),
        ((Delta(0, "a", 1), HANG), Deadlines(5, 5, 0.01), "longer than the server allows"),
    ],
)
async def test_a_silent_model_times_out(
    steps: tuple[Step, ...], deadlines: Deadlines, sentence: str
) -> None:
    generator = playing(*steps)
    async with live(generator, deadlines=deadlines) as generation:
        with pytest.raises(TimedOut, match=sentence):
            await taken(generation)

    assert generator.num_open == 0


async def test_several_runs_share_one_stream_with_their_own_indexes() -> None:
    async with live(playing(*words("a", "b")), playing(*words("c"))) as generation:
        deltas = await taken(generation)

    text_of = {i: "".join(d.text for d in deltas if d.sequence_index == i) for i in (0, 1)}
    assert text_of == {0: "ab", 1: "c"}


async def test_one_failed_run_ends_the_others() -> None:
    hanging = playing(HANG)
    async with live(hanging, playing(BackendLost("gone"))) as generation:
        with pytest.raises(BackendLost):
            await taken(generation)

    assert hanging.num_open == 0


async def test_a_fault_of_ours_is_told_without_its_text() -> None:
    class Broken(FakeGenerator):
        async def _play(self, step: Step) -> Accepted | Delta | None:
            raise ZeroDivisionError("secret")

    async with live(Broken(["x"])) as generation:
        with pytest.raises(InternalFault) as told:
            await taken(generation)

    assert "secret" not in told.value.message


async def test_fail_ends_it_with_the_given_error() -> None:
    async with live(playing(HANG)) as generation:
        generation.fail(ServiceError("stop"))

        with pytest.raises(ServiceError, match="stop"):
            await taken(generation)


class CountingGate:
    """Lets everything in."""

    num_entered = 0

    @asynccontextmanager
    async def entered(self, work: Work) -> AsyncGenerator[None, None]:
        self.num_entered += 1
        yield

    async def accepted(self, work: Work) -> None:
        pass


class UnloadedOnce(FakeGenerator):
    """Its model is gone at the first request."""

    async def _play(self, step: Step) -> Accepted | Delta | None:
        if len(self.requests) == 1:
            raise ModelNotReady("It was unloaded.")
        return await super()._play(step)


async def test_a_model_that_is_asked_again_is_paid_for_once() -> None:
    paid, place = CountingGate(), CountingGate()
    generation = started(UnloadedOnce(words("a")), gates=Gates([paid], [place]))
    try:
        deltas = await taken(generation)
    finally:
        await generation.aclose()

    assert [delta.text for delta in deltas] == ["a"]
    assert (paid.num_entered, place.num_entered) == (1, 2)


async def test_who_has_left_does_not_ask_again() -> None:
    class Sulking(FakeGenerator):
        async def _play(self, step: Step) -> Accepted | Delta | None:
            try:
                return await super()._play(step)
            except asyncio.CancelledError:
                raise ModelNotReady("It was unloaded.") from None

    generator = Sulking([HANG])
    generation = started(generator)
    await asyncio.wait_for(generator.opened.wait(), 2)
    await asyncio.wait_for(generation.aclose(), 2)

    assert len(generator.requests) == 1


async def test_who_leaves_stops_a_model_that_was_asked_again() -> None:
    class Resumed(UnloadedOnce):
        has_resumed = asyncio.Event()

        async def _play(self, step: Step) -> Accepted | Delta | None:
            if len(self.requests) == 2:
                self.has_resumed.set()
            return await super()._play(step)

    generator = Resumed([HANG])
    generation = started(generator)
    await asyncio.wait_for(generator.has_resumed.wait(), 2)
    await asyncio.wait_for(generation.aclose(), 2)

    assert generation.outcome == "cancelled"
