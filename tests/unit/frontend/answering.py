"""The use case of stored answers on a model that plays steps and a store in memory."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from frontend_api.adapters.sqlite import SqliteStore, memory_store
from frontend_api.domain.answer_pieces import Content, Piece
from frontend_api.domain.errors import StoreLost
from frontend_api.domain.generation import ChatPrompt, GenerationRequest
from frontend_api.domain.messages import Ending, Item, Message, Said
from frontend_api.ports import Clock, Store
from frontend_api.service.feeds import Feed
from frontend_api.service.generations import Generations
from frontend_api.service.orders import Order
from frontend_api.service.responses import Responses
from frontend_api.settings import Settings
from frontend_api.telemetry import Telemetry
from tests.web.fake_tokenizer import FakeTokenizer
from tests.web.fakes import FakeCatalogue, FakeGenerator, FixedClock, all_models
from tests.web.running import settings

OWNER = "default"
PATIENCE_S = 5.0
# Checkpoints every few milliseconds: tests wait for what they bring about, never for a time.
FAST = {"checkpoint_interval_s": 0.005, "lease_s": 5, "operation_timeout_s": 2}


def fast(**store: object) -> Settings:
    return settings(store={**FAST, **store})


@dataclass(frozen=True)
class Desk:
    """What a test works at."""

    responses: Responses
    store: Store
    generations: Generations
    telemetry: Telemetry
    ended: list[Message]


@asynccontextmanager
async def answering(
    generator: FakeGenerator,
    store: Store | None = None,
    *,
    chosen: Settings | None = None,
    catalogue: FakeCatalogue | None = None,
    tokenizing: FakeTokenizer | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Desk]:
    """Run one worker; a given store is open already and stays so."""
    chosen = chosen or fast()
    own = memory_store() if store is None else None
    telemetry = Telemetry()
    generations = Generations(
        all_models(catalogue or FakeCatalogue()), generator, telemetry, chosen.triton
    )
    used: Store = own or store  # type: ignore[assignment]
    ended: list[Message] = []
    responses = Responses(
        generations,
        used,
        tokenizing or FakeTokenizer(),
        clock=clock or FixedClock(),
        settings=chosen,
        telemetry=telemetry,
        on_end=ended.append,
    )
    if own is None:
        async with responses.running():
            yield Desk(responses, used, generations, telemetry, ended)
    else:
        async with own.running(), responses.running():
            yield Desk(responses, used, generations, telemetry, ended)


def num_unsaved(desk: Desk) -> float:
    """Return how many writes wait for the store, as the metrics have it."""
    return gauge(desk.telemetry, "conch_store_writes_waiting")


def gauge(telemetry: Telemetry, name: str) -> float:
    """Return one figure without labels."""
    found = re.search(rf"^{name} (\S+)$", telemetry.render().decode(), re.M)
    assert found, name
    return float(found[1])


def said(text: str) -> tuple[Item, ...]:
    return (Said("user", text),)


def order(text: str = "hi", **fields: Any) -> Order:
    """Return an order of one sentence."""
    asked = {"owner": OWNER, "request_id": "req_1", "items": said(text), **fields}
    asked.setdefault("request", GenerationRequest(model="demo", prompt=ChatPrompt(())))
    return Order(**asked)


async def taken(feed: Feed, pieces: list[Piece] | None = None) -> list[Piece]:
    """Return all pieces up to the end."""
    found = [] if pieces is None else pieces
    while (some := await asyncio.wait_for(feed.take(PATIENCE_S), PATIENCE_S)) is not None:
        found.extend(some)
    return found


async def answered(desk: Desk, asked: Order) -> Message:
    """Return a response when it has ended."""
    feed = await desk.responses.create(asked)
    await taken(feed)
    await feed.aclose()
    return feed.message


def text_of(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Content))


def ending_of(message: Message) -> Ending:
    assert message.run is not None
    assert message.run.ending is not None
    return message.run.ending


async def until(is_so: Callable[[], object]) -> None:
    """Return when it is so; raises TimeoutError if it does not come about."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110 - what is looked at has no event
            await asyncio.sleep(0.001)


def tells_reason(message: Message) -> tuple[str, str | None]:
    """Return the status of an ended response, and why it is incomplete."""
    ending = ending_of(message)
    return ending.status, ending.reason


async def stored(desk: Desk, message_id: str) -> Message:
    message = await desk.store.message(OWNER, message_id)
    assert message is not None
    return message


class ShakyStore:
    """A store in front of another one, whose writing and reading can fail, hang or be counted.

    is_lost: every call raises StoreLost. open: while it is not set, every call hangs.
    failing: the names of calls that do. chance: how likely any call does, before or after it was
    done: the caller cannot know. fails_late: always after.
    """

    def __init__(self, behind: SqliteStore, seed: int = 0) -> None:
        self.behind = behind
        self.is_lost = False
        self.chance = 0.0
        self.open = asyncio.Event()
        self.open.set()
        self.calls: list[str] = []
        self.failing: set[str] = set()
        self.fails_late = False
        self._random = random.Random(seed)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.behind, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            await self.open.wait()
            if not self.fails_late:
                self._shake(name)
            answer = await method(*args, **kwargs)
            self._shake(name)
            return answer

        return call

    def _shake(self, name: str) -> None:
        if self.is_lost or name in self.failing or self._random.random() < self.chance:
            raise StoreLost("The database with the sessions does not answer.")


@asynccontextmanager
async def shaky(seed: int = 0) -> AsyncIterator[Any]:
    """Hand out an open store that can be shaken; typed loosely, as it is every store's shape."""
    behind = memory_store()
    async with behind.running():
        yield ShakyStore(behind, seed)
