"""The line: a gate that lets in as many generations as a model runs at once, in fair order.

Its way: a request that finds a free place goes on at once. Else it stands in the line of its
model, which all workers of this server share (domain/fair_line.py has the order), until it is
its turn, or the line is too long, or it has stood there for too long.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from frontend_api.domain.errors import Overloaded
from frontend_api.domain.fair_line import Entry
from frontend_api.ports import Lines
from frontend_api.service.admission import Work
from frontend_api.service.callers import Caller
from frontend_api.service.model_line import ModelLine, Standing
from frontend_api.settings import LimitSettings
from frontend_api.telemetry import Telemetry

# What others' dying and one's own long answers may go unseen for.
_LOOK_S: Final = 0.25
# Of the server's own work; no caller's begins like this.
_OWN: Final = "own"


class Line:
    """The lines of all models, for one worker."""

    def __init__(self, lines: Lines, limits: LimitSettings, telemetry: Telemetry) -> None:
        """Use these; nothing is opened before `running`."""
        self._lines = lines
        self._limits = limits
        self._telemetry = telemetry
        self._of_model: dict[str, ModelLine] = {}
        self._next_look: asyncio.TimerHandle | None = None
        self._is_open = False

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Stand in line with the other workers while the block runs."""
        async with self._lines.opened(self._stir_all):
            self._is_open = True
            try:
                yield
            finally:
                self._is_open = False
                if self._next_look is not None:
                    self._next_look.cancel()
                for line in self._of_model.values():
                    line.close()

    def entered(self, work: Work) -> AbstractAsyncContextManager[None]:
        """Wait for places, one for each answer; raises TooManyWaiting or Overloaded."""
        places = self._limits.max_parallel_per_model or work.model.max_sequences
        if not places or not self._is_open:
            return nullcontext()
        line = self._line(work.model.name)
        line.have_places(places)
        self._look_soon()
        return _Stay(line, Standing(work, self._entry(work)), self._wait)

    async def accepted(self, work: Work) -> None:
        """The line has no part in this."""

    async def _wait(self, line: ModelLine, standing: Standing) -> None:
        """Return when it may run; raises its refusal."""
        model = standing.work.model.name
        if standing.error is None:
            loop = asyncio.get_running_loop()
            since = loop.time()
            self._telemetry.queue_joined(model)
            try:
                await self._stand(line, standing, loop.create_future())
            finally:
                self._telemetry.queue_left(model, loop.time() - since)
        if standing.error is not None:
            self._telemetry.queue_refused(model, standing.error.code or "")
            raise standing.error

    async def _stand(self, line: ModelLine, standing: Standing, turn: asyncio.Future[None]) -> None:
        standing.turn = turn
        try:
            async with asyncio.timeout(self._limits.max_queue_s):
                await turn
        except TimeoutError:
            standing.error = Overloaded(
                "The model had no place for this request in time.",
                retry_after_s=line.retry_after_s,
            )

    def _line(self, model: str) -> ModelLine:
        line = self._of_model.get(model)
        if line is None:
            line = ModelLine(model, self._lines, self._limits.max_queue_per_model)
            self._of_model[model] = line
        return line

    def _entry(self, work: Work) -> Entry:
        total = None if work.max_tokens is None else work.max_tokens * work.num_sequences
        return Entry(
            worker=self._lines.worker,
            subject=_number_of(_OWN if work.is_own else _subject(work.caller)),
            weight=work.caller.limits.priority_weight,
            places=work.num_sequences,
            max_tokens=total,
            is_own=work.is_own,
        )

    def _look_soon(self) -> None:
        if self._next_look is None:
            loop = asyncio.get_running_loop()
            self._next_look = loop.call_later(_LOOK_S, self._look)

    def _look(self) -> None:
        self._next_look = None
        busy = [line for line in self._of_model.values() if not line.is_empty]
        if busy:
            # First: a look may fail, as when no file can be opened, and is then tried again.
            self._look_soon()
        for line in busy:
            line.look()

    def _stir_all(self) -> None:
        for line in self._of_model.values():
            if not line.is_empty:
                line.stir()


class _Stay:
    """The time of one generation in line and at the model.

    A class: every request passes it, and a generator takes three times as long.
    """

    __slots__ = ("_line", "_standing", "_wait")

    def __init__(
        self,
        line: ModelLine,
        standing: Standing,
        wait: Callable[[ModelLine, Standing], Awaitable[None]],
    ) -> None:
        self._line = line
        self._standing = standing
        self._wait = wait

    async def __aenter__(self) -> None:
        try:
            self._line.join(self._standing)
            if not self._standing.is_running:
                await self._wait(self._line, self._standing)
        except BaseException:
            self._line.leave(self._standing)
            raise

    async def __aexit__(self, *_: object) -> None:
        self._line.leave(self._standing)


def _subject(caller: Caller) -> str:
    return f"address {caller.address}" if caller.key_id is None else f"key {caller.key_id}"


@lru_cache(maxsize=4096)
def _number_of(subject: str) -> int:
    return int.from_bytes(blake2b(subject.encode(), digest_size=8).digest(), "big", signed=True)
