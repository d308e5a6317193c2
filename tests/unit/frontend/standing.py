"""Generations that stand in line, without a model behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from frontend_api.adapters.own_lines import OwnLines
from frontend_api.domain.generation import Usage
from frontend_api.domain.keys import KeyLimits
from frontend_api.domain.model import ServedModel
from frontend_api.ports import Lines
from frontend_api.service.admission import Work
from frontend_api.service.callers import Caller
from frontend_api.service.line import Line
from frontend_api.telemetry import Telemetry
from tests.web.running import settings

LIMIT_S = 10.0


def work_of(
    key: str | None,
    *,
    model: str = "demo",
    weight: int = 1,
    places: int = 1,
    max_sequences: int | None = 1,
    is_own: bool = False,
    address: str = "",
) -> Work:
    """Return the work of a key's request; None: of somebody without a key."""
    return Work(
        caller=Caller(key_id=key, address=address, limits=KeyLimits(priority_weight=weight)),
        model=ServedModel(model, max_sequences=max_sequences),
        request_id="",
        num_sequences=places,
        max_tokens=None,
        usage=Usage(),
        is_own=is_own,
    )


@dataclass(eq=False)
class Standing:
    """A request in the hands of a test: it runs from its turn until `end`."""

    work: Work
    line: Line

    def __post_init__(self) -> None:
        self.runs = asyncio.Event()
        self._ends = asyncio.Event()
        self.task = asyncio.create_task(self._stand())

    async def _stand(self) -> None:
        async with self.line.entered(self.work):
            self.runs.set()
            await self._ends.wait()

    async def until_it_runs(self) -> None:
        await asyncio.wait_for(self.runs.wait(), LIMIT_S)

    async def end(self, num_tokens: int = 64) -> None:
        """Let it end after so many tokens."""
        self.work.usage.completion_tokens = num_tokens
        self._ends.set()
        await asyncio.wait_for(self.task, LIMIT_S)

    async def leave(self) -> None:
        """Cancel it, wherever it is."""
        self.task.cancel()
        await asyncio.wait([self.task])


async def settled() -> None:
    """Return when every task that could go on has."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(is_true: Callable[[], bool]) -> None:
    """Return when it is: of what another worker does nothing tells but looking."""
    async with asyncio.timeout(LIMIT_S):
        while not is_true():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@asynccontextmanager
async def opened_line(lines: Lines | None = None, **limits: object) -> AsyncIterator[Line]:
    """Yield an open line."""
    line = Line(lines or OwnLines(), settings(limits=limits).limits, Telemetry())
    async with line.running():
        yield line
