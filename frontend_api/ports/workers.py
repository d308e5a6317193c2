"""The other workers, and the time."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol, TypeVar

from frontend_api.domain.fair_line import FairLine
from frontend_api.domain.running import Action, RunningRequest

Result = TypeVar("Result")


class Peers(Protocol):
    """The other workers of this server."""

    async def ask(self, request_id: str, action: Action) -> RunningRequest | None:
        """Do it where the request runs; None when no other worker has it."""
        ...

    def listening(
        self, answer: Callable[[str, Action], RunningRequest | None]
    ) -> AbstractAsyncContextManager[None]:
        """Answer what the others ask while the block runs."""
        ...


class Lines(Protocol):
    """The lines before the models, which all workers of this server stand in together."""

    @property
    def worker(self) -> int:
        """Which of them this is, from 0."""
        ...

    def opened(self, on_news: Callable[[], None]) -> AbstractAsyncContextManager[None]:
        """Open them; `on_news` is called when another worker has changed an entry of this one."""
        ...

    def held(self, model: str) -> AbstractContextManager[FairLine | None]:
        """Have a model's line for this worker alone, briefly; None: another worker has it."""
        ...

    def tell(self, workers: Collection[int]) -> None:
        """Have these workers look at their entries."""
        ...

    def lost(self) -> Collection[int]:
        """Return the workers that are gone; asked while a line is held, it is true of that line."""
        ...


class SharedLevel(Protocol):
    """From which level on all workers of this server write log lines."""

    def tell(self, level: str) -> None:
        """Have them all know it."""
        ...

    def told(self) -> str | None:
        """Return the last that was told; None: it is that of the settings."""
        ...


class Clock(Protocol):
    """The time, so that tests can choose it."""

    def now(self) -> float:
        """Return seconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""
        ...
