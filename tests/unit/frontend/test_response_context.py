"""A conversation that has grown longer than the model's context."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from frontend_api.domain.errors import BackendLost, ContextTooLong
from frontend_api.domain.generation import Accepted, ChatPrompt, Delta, GenerationRequest, Prompt
from tests.unit.frontend.answering import OWNER, answered, answering, order
from tests.web.fake_tokenizer import FakeTokenizer
from tests.web.fakes import DEMO, FakeCatalogue, FakeGenerator, words

CONTEXT = 120


class Forgetful(FakeGenerator):
    """A model with a small context, counted as the fake tokenizer does; it tells how small."""

    tells = True

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Accepted | Delta, None]:
        num = len(await FakeTokenizer().tokenize("demo", request.prompt))
        if num + (request.max_tokens or 1) > CONTEXT:
            self.requests.append(request)
            extra = {"n_prompt_tokens": num, "n_ctx": CONTEXT} if self.tells else {}
            raise ContextTooLong(f"{num} tokens", param="messages", extra=extra)
        async for event in super().generate(request):
            yield event


def forgetful() -> Forgetful:
    return Forgetful([Accepted(1), *words("yes")])


def turns(generator: FakeGenerator) -> list[str | None]:
    prompt = generator.requests[-1].prompt
    assert isinstance(prompt, ChatPrompt)
    return [turn.content for turn in prompt.messages]


async def test_the_oldest_turns_are_dropped_and_told() -> None:
    generator = forgetful()
    async with answering(generator) as desk:
        first = await answered(desk, order("a" * 40))
        second = await answered(desk, order("b" * 30, previous_id=first.id))
        third = await answered(
            desk, order("c" * 15, previous_id=second.id, instructions="Be kind.")
        )
        tree = await desk.store.messages(OWNER, first.session_id)

    assert turns(generator) == ["Be kind.", "b" * 30, "yes", "c" * 15]
    assert third.run is not None
    assert third.run.num_dropped == 2
    assert len(tree) == 6


async def test_as_little_as_possible_is_dropped() -> None:
    generator = forgetful()
    asked = GenerationRequest(model="demo", prompt=ChatPrompt(()), max_tokens=10)
    async with answering(generator) as desk:
        last = await answered(desk, order("0", request=asked))
        for number in range(1, 12):
            last = await answered(desk, order(str(number), previous_id=last.id, request=asked))

    kept = [said for said in turns(generator) if said != "yes"]
    assert kept == [str(number) for number in range(12 - len(kept), 12)]
    # A turn is `user:N|assistant:yes|`: 21 or 22 characters of 120 - 10.
    assert len(kept) == 5


async def test_what_may_not_be_dropped_is_refused() -> None:
    generator = forgetful()
    async with answering(generator) as desk:
        first = await answered(desk, order("a" * 90))
        with pytest.raises(ContextTooLong):
            await desk.responses.create(order("b" * 20, previous_id=first.id, may_drop=False))
        tree = await desk.store.messages(OWNER, first.session_id)

    assert len(tree) == 2
    assert generator.num_open == 0


async def test_new_input_that_is_too_long_by_itself_is_refused() -> None:
    generator = forgetful()
    async with answering(generator) as desk:
        first = await answered(desk, order("a"))
        with pytest.raises(ContextTooLong):
            await desk.responses.create(order("b" * 200, previous_id=first.id))


async def test_a_model_that_cannot_count_stands_by_its_refusal() -> None:
    class Mute(FakeTokenizer):
        async def tokenize(self, model: str, prompt: Prompt) -> list[int]:
            raise BackendLost("gone")

    async with answering(forgetful(), tokenizing=Mute()) as desk:
        first = await answered(desk, order("a" * 30))
        second = await answered(desk, order("a" * 30, previous_id=first.id))
        with pytest.raises(ContextTooLong):
            await desk.responses.create(order("b" * 30, previous_id=second.id))


async def test_a_count_that_was_too_low_is_made_good() -> None:
    class TooLow(FakeTokenizer):
        async def tokenize(self, model: str, prompt: Prompt) -> list[int]:
            return [1]

    generator = forgetful()
    async with answering(generator, tokenizing=TooLow()) as desk:
        first = await answered(desk, order("a"))
        second = await answered(desk, order("b" * 80, previous_id=first.id))
        await answered(desk, order("c" * 20, previous_id=second.id))

    assert turns(generator) == ["c" * 20]


@pytest.mark.parametrize("context", [CONTEXT, None])
async def test_a_refusal_without_a_size_is_read_with_the_size_of_the_model(
    context: int | None,
) -> None:
    generator = forgetful()
    generator.tells = False
    catalogue = FakeCatalogue(replace(DEMO, context_length=context))
    async with answering(generator, catalogue=catalogue) as desk:
        first = await answered(desk, order("a" * 90))
        asked = order("b" * 20, previous_id=first.id)
        if context is None:
            with pytest.raises(ContextTooLong):
                await desk.responses.create(asked)
        else:
            await answered(desk, asked)
            assert turns(generator) == ["b" * 20]
