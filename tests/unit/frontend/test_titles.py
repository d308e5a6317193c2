"""Titles by the model: when it is idle, only over the first words, never in anybody's way."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from frontend_api.adapters.sqlite import SqliteStore, memory_store
from frontend_api.domain.generation import ChatPrompt, Delta, GenerationRequest
from frontend_api.domain.messages import Ending, Message, Run, Said
from frontend_api.domain.sessions import Session, SessionChanges, TitleSource
from frontend_api.domain.titles import as_title
from frontend_api.service.generations import Generations
from frontend_api.service.titles import Pace, Titles
from frontend_api.settings import TritonSettings
from frontend_api.telemetry import Telemetry
from tests.unit.frontend.answering import gauge, until
from tests.web.fakes import FakeCatalogue, FakeGenerator, FixedClock, Step, all_models, words

OWNER = "o"
ANSWER = Message(
    id="resp_1",
    session_id="s",
    owner=OWNER,
    parent_id="msg_1",
    created_at=0,
    run=Run(
        model="demo",
        status="completed",
        worker="w",
        lease_until=0,
        ending=Ending(status="completed", completed_at=0),
    ),
)


@dataclass
class Stage:
    """What a test looks at."""

    store: SqliteStore
    generator: FakeGenerator
    generations: Generations
    titles: Titles
    telemetry: Telemetry

    async def title(self) -> tuple[str, TitleSource]:
        session = await self.store.session(OWNER, "s", 0)
        assert session is not None
        return session.title, session.title_source

    async def until_idle(self) -> None:
        """Wait until the titles that are wanted have been looked after."""
        await until(lambda: not gauge(self.telemetry, "conch_titles_waiting"))


@asynccontextmanager
async def stage(
    steps: Iterable[Step],
    source: TitleSource = "words",
    *,
    is_enabled: bool = True,
    idle_s: float = 0,
) -> AsyncIterator[Stage]:
    store, generator, clock = memory_store(), FakeGenerator(steps), FixedClock()
    telemetry = Telemetry()
    generations = Generations(all_models(FakeCatalogue()), generator, telemetry, TritonSettings())
    pace = Pace(idle_s=idle_s, look_s=0.01)
    titles = Titles(generations, store, clock, telemetry, is_enabled=is_enabled, pace=pace)
    async with store.running(), titles.running():
        session = Session(
            id="s",
            owner=OWNER,
            created_at=0,
            updated_at=0,
            title="tell me about",
            title_source=source,
        )
        await store.create_session(session, 0)
        asked = Message(
            id="msg_1",
            session_id="s",
            owner=OWNER,
            parent_id=None,
            created_at=0,
            said=(Said("user", "tell me about shells"),),
        )
        await store.append([asked], 0, 0)
        yield Stage(store, generator, generations, titles, telemetry)


async def test_a_session_is_named_by_the_model_after_its_answer() -> None:
    async with stage(words('"Shells', ' of the sea"')) as on:
        on.titles.answered(ANSWER)
        await on.until_idle()

        assert await on.title() == ("Shells of the sea", "model")
    (request,) = on.generator.requests
    assert request.max_tokens == 12
    assert isinstance(request.prompt, ChatPrompt)
    assert "tell me about shells" in (request.prompt.messages[0].content or "")


@pytest.mark.parametrize("source", ["user", "model", "none"])
async def test_no_other_title_is_touched(source: TitleSource) -> None:
    async with stage(words("Shells"), source) as on:
        on.titles.answered(ANSWER)
        await on.until_idle()

        assert await on.title() == ("tell me about", source)
    assert on.generator.requests == []


async def test_a_title_that_a_user_gives_meanwhile_stays() -> None:
    go_on = asyncio.Event()
    async with stage([go_on, *words("Shells")]) as on:
        on.titles.answered(ANSWER)
        await asyncio.wait_for(on.generator.opened.wait(), 5)
        mine = SessionChanges(title="Mine", title_source="user")
        await on.store.change_session(OWNER, "s", mine)
        go_on.set()
        await on.until_idle()

        assert await on.title() == ("Mine", "user")


@pytest.mark.parametrize(
    "steps",
    [words("Shells of the", reason="length"), words("One.\nTwo."), words("  "), words("x" * 61)],
)
async def test_what_is_no_title_is_left_alone(steps: list[Step]) -> None:
    async with stage(steps) as on:
        on.titles.answered(ANSWER)
        await on.until_idle()

        assert await on.title() == ("tell me about", "words")


async def test_a_user_who_comes_meanwhile_goes_first_and_the_title_comes_later() -> None:
    async with stage([Delta(0, "Shells", 1), asyncio.Event()]) as on:
        on.titles.answered(ANSWER)
        await asyncio.wait_for(on.generator.opened.wait(), 5)
        on.generator.steps = words("Sea", " shells")
        async with asyncio.timeout(5):
            live = on.generations.begin([request_of_a_user()])
            while await live.take(1) is not None:
                pass
            await live.aclose()
        await on.until_idle()

        assert await on.title() == ("Sea shells", "model")
    assert len(on.generator.requests) == 3


async def test_nothing_is_generated_while_somebody_else_is_answered() -> None:
    go_on = asyncio.Event()
    async with stage([go_on, *words("Shells")]) as on:
        live = on.generations.begin([request_of_a_user()])
        on.titles.answered(ANSWER)
        await asyncio.sleep(0.05)
        assert len(on.generator.requests) == 1
        go_on.set()
        while await live.take(1) is not None:
            pass
        await live.aclose()
        await on.until_idle()

        assert await on.title() == ("Shells", "model")


async def test_it_can_be_turned_off() -> None:
    async with stage(words("Shells"), is_enabled=False) as on:
        on.titles.answered(ANSWER)
        await on.until_idle()

    assert on.generator.requests == []


async def test_an_answer_that_failed_asks_for_no_title() -> None:
    async with stage(words("Shells")) as on:
        assert ANSWER.run is not None
        on.titles.answered(replace(ANSWER, run=replace(ANSWER.run, status="failed")))
        await on.until_idle()

    assert on.generator.requests == []


def request_of_a_user() -> GenerationRequest:
    return GenerationRequest(model="demo", prompt=ChatPrompt(()), stream=True)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Shells", "Shells"),
        ('**"Shells of  the sea."**\n', "Shells of the sea"),
        ("# Shells", "Shells"),
        ("", ""),
        ("One\nTwo", ""),
        ("x" * 61, ""),
    ],
)
def test_a_title_is_one_short_line_without_marks(text: str, title: str) -> None:
    assert as_title(text) == title
