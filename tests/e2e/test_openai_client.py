"""The official `openai` client against the real Triton with the bundled and a simulated model."""

import asyncio
from collections.abc import Sequence
from typing import Any

import openai as openai_package
import pytest
from openai import AsyncOpenAI
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk

DEFAULTS: dict[str, Any] = {
    "model": "demo",
    "messages": [{"role": "user", "content": "What is Conch?"}],
    "max_tokens": 24,
    "temperature": 0,
}
SIMULATED: dict[str, Any] = {"model": "steady", "temperature": None}


async def ask(client: AsyncOpenAI, **changes: object) -> ChatCompletion:
    """Return a whole chat answer."""
    answer = await client.chat.completions.create(**(DEFAULTS | changes))
    assert isinstance(answer, ChatCompletion)
    return answer


async def stream(client: AsyncOpenAI, **changes: object) -> list[ChatCompletionChunk]:
    """Return the chunks of a streamed chat answer."""
    chunks = await client.chat.completions.create(**(DEFAULTS | changes), stream=True)
    return [chunk async for chunk in chunks]


def counted(usage: CompletionUsage | None) -> dict[str, object]:
    """Return the token counts without what differs from run to run: time, and cache hits."""
    assert usage is not None
    return usage.model_dump(exclude={"x_conch", "prompt_tokens_details"})


def text_of(chunks: Sequence[ChatCompletionChunk]) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def reasons_of(chunks: Sequence[ChatCompletionChunk]) -> list[str | None]:
    return [c.choices[0].finish_reason for c in chunks if c.choices]


def says(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


async def test_models_are_listed(openai: AsyncOpenAI) -> None:
    models = {model.id: model async for model in openai.models.list()}

    assert set(models) == {"demo", "steady", "slow"}
    assert (await openai.models.retrieve("demo")) == models["demo"]


async def test_a_chat_answers_with_text_finish_reason_and_usage(openai: AsyncOpenAI) -> None:
    answer = await ask(openai)

    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in {"stop", "length"}
    assert answer.usage
    assert 0 < answer.usage.completion_tokens <= 24
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_a_streamed_chat_is_the_same_text_as_a_whole_one(openai: AsyncOpenAI) -> None:
    greeting = says("Say hello in Japanese, with an emoji.")

    whole = await ask(openai, messages=greeting)
    chunks = await stream(openai, messages=greeting, stream_options={"include_usage": True})

    assert text_of(chunks) == whole.choices[0].message.content
    assert reasons_of(chunks)[-1] == whole.choices[0].finish_reason
    assert set(reasons_of(chunks)[:-1]) == {None}
    assert counted(chunks[-1].usage) == counted(whole.usage)


async def test_multi_byte_text_streams_whole(openai: AsyncOpenAI) -> None:
    asked = SIMULATED | {"seed": 1, "max_tokens": 90, "extra_body": {"ignore_eos": True}}

    whole = await ask(openai, **asked)
    chunks = await stream(openai, **asked)

    assert text_of(chunks) == whole.choices[0].message.content
    assert {"日", "Ж", "П"} & set(text_of(chunks))
    assert "\ufffd" not in text_of(chunks)


async def test_a_completion_streams_the_same_text(openai: AsyncOpenAI) -> None:
    asked: dict[str, Any] = {
        "model": "demo", "prompt": "Conch is", "temperature": 0, "max_tokens": 8,
    }  # fmt: skip

    whole = await openai.completions.create(**asked)
    chunks = await openai.completions.create(**asked, stream=True)
    text = "".join([chunk.choices[0].text async for chunk in chunks])

    assert text == whole.choices[0].text
    assert whole.choices[0].finish_reason in {"stop", "length"}


async def test_max_tokens_ends_with_length_and_counts_truly(openai: AsyncOpenAI) -> None:
    answer = await ask(openai, **SIMULATED | {"max_tokens": 5})

    assert answer.choices[0].finish_reason == "length"
    assert answer.usage
    assert answer.usage.completion_tokens == 5


async def test_the_same_seed_gives_the_same_text_and_none_gives_another(
    openai: AsyncOpenAI,
) -> None:
    async def texts(count: int, seed: int | None) -> set[str | None]:
        answers = [await ask(openai, temperature=1.5, seed=seed) for _ in range(count)]
        return {answer.choices[0].message.content for answer in answers}

    seeded, unseeded = await texts(2, seed=7), await texts(4, seed=None)

    assert len(seeded) == 1
    assert len(unseeded) > 1


async def test_several_choices_have_their_own_index(openai: AsyncOpenAI) -> None:
    answer = await ask(openai, n=3, temperature=1, max_tokens=4)

    assert [choice.index for choice in answer.choices] == [0, 1, 2]


async def test_a_stop_string_ends_the_text_before_it(openai: AsyncOpenAI) -> None:
    asked = SIMULATED | {"seed": 1, "max_tokens": 40}
    whole = (await ask(openai, **asked)).choices[0].message.content or ""
    stop = whole[len(whole) // 2 :][:4]

    chunks = await stream(openai, **asked, stop=stop)

    assert text_of(chunks) == whole.split(stop)[0]
    assert reasons_of(chunks)[-1] == "stop"


async def test_eight_clients_at_once_are_all_answered(openai: AsyncOpenAI) -> None:
    greetings = [says(f"My name is Number {number}. Hello!") for number in range(8)]

    answers = await asyncio.gather(*(stream(openai, messages=words) for words in greetings))

    assert all(text_of(chunks) for chunks in answers)
    assert all(reasons_of(chunks)[-1] in {"stop", "length"} for chunks in answers)


async def test_streams_run_side_by_side_and_not_one_after_the_other(openai: AsyncOpenAI) -> None:
    loop = asyncio.get_running_loop()

    async def span() -> tuple[float, float]:
        asked = DEFAULTS | SIMULATED | {"model": "slow", "max_tokens": 6}
        chunks = await openai.chat.completions.create(**asked, stream=True)
        times = [loop.time() async for _ in chunks]
        return times[0], times[-1]

    spans = await asyncio.gather(*(span() for _ in range(8)))

    assert max(first for first, _ in spans) < min(last for _, last in spans)


async def test_an_unknown_model_raises_the_clients_not_found(openai: AsyncOpenAI) -> None:
    with pytest.raises(openai_package.NotFoundError) as refused:
        await ask(openai, model="gpt-9")

    assert refused.value.code == "model_not_found"


async def test_a_prompt_beyond_the_context_raises_before_a_stream_begins(
    openai: AsyncOpenAI,
) -> None:
    with pytest.raises(openai_package.BadRequestError, match="maximum context length") as refused:
        await stream(openai, messages=says("shell " * 5000))

    assert refused.value.code == "context_length_exceeded"
