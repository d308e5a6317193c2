"""The ledgers, as this worker changes them.

How it works: changes of one ledger that come while one is being made are made together after it,
in one write. So a thousand requests with one key at once are a few writes, and none waits for
more than two.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from frontend_api.domain.ledger import Ledger
from frontend_api.ports import BudgetStore

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Change(Generic[Result]):
    """What is to be done to a ledger, and who waits for what comes of it."""

    work: Callable[[Ledger], Result]
    future: asyncio.Future[Result]

    def tell(self, result: Result) -> None:
        """Tell what came of it."""
        if not self.future.done():
            self.future.set_result(result)

    def fail(self, error: Exception) -> None:
        """Tell that it was not done."""
        if not self.future.done():
            self.future.set_exception(error)
            # Seen, even if nobody waits for it any more.
            self.future.exception()


class Books:
    """All ledgers; each has one writer at most, which lives while there is something to write."""

    def __init__(self, store: BudgetStore) -> None:
        """Use this one; nothing is opened."""
        self._store = store
        self._waiting: dict[str, list[_Change[object]]] = {}
        self._writers: dict[str, asyncio.Task[None]] = {}

    def change(self, subject: str, work: Callable[[Ledger], Result]) -> asyncio.Future[Result]:
        """Let this work on the subject's ledger, after what was asked for before.

        work: raises nothing, as others are kept with it. It is done even if nobody waits for it.
        What is returned raises StoreLost.
        """
        change = _Change(work, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(subject, []).append(change)
        if subject not in self._writers:
            self._writers[subject] = asyncio.create_task(self._write(subject))
        return change.future

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None, None]:
        """Wait after the block for what is being written; each write has a time-out."""
        try:
            yield
        finally:
            while self._writers:
                await asyncio.wait(self._writers.values())

    async def _write(self, subject: str) -> None:
        try:
            while changes := self._waiting.pop(subject, None):
                await self._write_together(subject, changes)
        finally:
            del self._writers[subject]

    async def _write_together(self, subject: str, changes: Sequence[_Change[object]]) -> None:
        try:
            results = await self._store.change_ledger(
                subject, lambda ledger: [change.work(ledger) for change in changes]
            )
        except Exception as error:
            for change in changes:
                change.fail(error)
            return
        for change, result in zip(changes, results, strict=True):
            change.tell(result)
