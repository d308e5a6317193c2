"""Our service with a model that says what a test wants, at the pace that it wants."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

import httpx

from frontend_api.app import create_app
from frontend_api.domain.generation import Accepted, Delta
from frontend_api.domain.model import ServedModel
from frontend_api.settings import Settings
from frontend_api.wiring import SystemClock
from tests.web.fakes import DEMO, EVERYTHING, FakeCatalogue, FakeGenerator, Step
from tests.web.running import serving, settings, wired

# Can all that the page can show.
MODEL: Final = replace(DEMO, capabilities=EVERYTHING | {"top_log_probs"}, reasoning_format="think")
PLAIN: Mapping[str, object] = {"title_by_model": False}


@dataclass(frozen=True)
class Pause:
    """The model thinks for so long."""

    seconds: float


class ScriptedGenerator(FakeGenerator):
    """Plays `steps` for every request; what it was asked is in `requests`."""

    def say(self, *steps: "Step | Pause") -> None:
        """Play these from now on."""
        self.steps = [Accepted(7), *steps]  # type: ignore[list-item]

    async def _play(self, step: "Step | Pause") -> Accepted | Delta | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        return await super()._play(step)


def said(
    text: str, *, piece: int = 8, pause_s: float = 0.0, is_end: bool = True
) -> "list[Step | Pause]":
    """Return the steps that say `text` in pieces of so many characters, each after a pause."""
    return [*_pieces(text, piece, pause_s), *([Delta(0, "", 0, "stop")] if is_end else [])]


def _pieces(text: str, piece: int, pause_s: float) -> "Iterator[Step | Pause]":
    for at in range(0, len(text), piece):
        if pause_s:
            yield Pause(pause_s)
        yield Delta(0, text[at : at + piece], 1)


@dataclass(frozen=True)
class Scripted:
    """A running server and its model."""

    url: str
    model: ScriptedGenerator


@asynccontextmanager
async def running_scripted(
    chosen: Settings | None = None, *models: ServedModel
) -> AsyncIterator[Scripted]:
    """Run one with an empty store in memory."""
    model = ScriptedGenerator()
    model.say(*said("A short answer."))
    catalogue = FakeCatalogue(*(models or (MODEL,)))
    wiring = replace(wired(model, catalogue, chosen or settings(store=PLAIN)), clock=SystemClock())
    async with serving(create_app(wiring)) as it:
        yield Scripted(f"http://127.0.0.1:{it.port}", model)


async def store_talks(server: Scripted, titles: Sequence[str]) -> None:
    """Put conversations with these titles into the store."""
    said = {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["Hello"]}}
    documents = [{"title": each, "mapping": {"a": {"message": said}}} for each in titles]
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        (await client.post("/v1/conversations/import", json=documents)).raise_for_status()
