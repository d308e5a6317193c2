"""One model's line as one worker sees it: who of its requests came, waits, runs and left.

How it works: `stir` is all there is. It has the line for this worker alone, or tries again in a
moment; puts in who came, takes out who left, gives the free places away, whoever's requests they
are for, and wakes those whose turn it is.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from frontend_api.domain.errors import Overloaded, ServiceError, TooManyWaiting
from frontend_api.domain.fair_line import Bounds, Entry, FairLine
from frontend_api.domain.line_memory import GIVING_WAY, PUSHED_OUT, WAITING
from frontend_api.ports import Lines
from frontend_api.service.admission import Work

# A line is held for some microseconds; a tenth of a millisecond with thousands in it.
_PAUSE_S: Final = 0.001
_MAX_RETRY_AFTER_S: Final = 60


@dataclass(slots=True, eq=False)
class Standing:
    """One generation in line, or at the model.

    index: its entry, once it has one. turn: of one that has to wait; done when it may run, or is
    refused with `error`. since: when it began to run, of the loop's clock.
    """

    work: Work
    entry: Entry
    task: asyncio.Task[object] | None = field(default_factory=asyncio.current_task)
    is_running: bool = False
    turn: asyncio.Future[None] | None = None
    error: ServiceError | None = None
    index: int | None = None
    since: float = 0.0

    def wake(self) -> None:
        """Let it see what has become of it."""
        if self.turn is not None and not self.turn.done():
            self.turn.set_result(None)


class ModelLine:
    """The requests of this worker for one model."""

    def __init__(self, model: str, lines: Lines, max_waiting: int) -> None:
        """Begin with none; the line itself may have others'."""
        self._model = model
        self._lines = lines
        self._bounds = Bounds(1, max_waiting)
        self._is_closed = False
        self._came: list[Standing] = []
        self._left: list[Standing] = []
        self._waiting: dict[int, Standing] = {}
        self._running: dict[int, Standing] = {}
        self._own: dict[int, asyncio.Task[object] | None] = {}
        self._again: asyncio.TimerHandle | None = None
        self._expected_wait_s = 1.0

    @property
    def retry_after_s(self) -> int:
        """How long it takes, about, until who comes now has a place."""
        return min(max(1, math.ceil(self._expected_wait_s)), _MAX_RETRY_AFTER_S)

    @property
    def is_empty(self) -> bool:
        """Whether this worker has nothing in it."""
        return not (self._came or self._left or self._waiting or self._running)

    def have_places(self, places: int) -> None:
        """Heed how many generations the model runs now."""
        if places != self._bounds.places:
            self._bounds = replace(self._bounds, places=places)

    def join(self, standing: Standing) -> None:
        """Put it in line; if there is a place it runs at once."""
        if not self._runs_at_once(standing):
            self._came.append(standing)
            self._stir(is_alone=True)

    def leave(self, standing: Standing) -> None:
        """Have it out, however far it got; others may run now."""
        standing.work.queue_position = None
        if self._is_closed:
            return
        if standing.index is None:
            # Refused, or it never got in.
            if standing in self._came:
                self._came.remove(standing)
            return
        (self._running if standing.is_running else self._waiting).pop(standing.index)
        self._own.pop(standing.index, None)
        self._left.append(standing)
        self._stir(is_alone=True)

    def stir(self) -> None:
        """Bring the line up to date, and see what others have changed."""
        self._stir(is_alone=False)

    def _runs_at_once(self, standing: Standing) -> bool:
        if self._came or self._left or self._waiting:
            return False
        with self._lines.held(self._model) as line:
            index = None if line is None else line.start_at_once(standing.entry, self._bounds)
        if index is None:
            return False
        self._start(standing, index)
        return True

    def _stir(self, *, is_alone: bool) -> None:
        """Bring the line up to date; `is_alone`: others may have changed nothing here, or told."""
        others: Collection[int] = ()
        with self._lines.held(self._model) as line:
            if line is None:
                self._stir_later()
                return
            if self._left:
                self._take_out(line)
            changed = self._put_in(line) if self._came else line.serve(self._bounds)
            if changed:
                others = {line.worker(index) for index in changed} - {self._lines.worker}
            if changed or self._own or not is_alone:
                self._heed(line, changed if is_alone else list(self._waiting))
        if others:
            self._lines.tell(others)

    def look(self) -> None:
        """Do what is to be done now and then: charge what runs, drop the dead, tell positions."""
        with self._lines.held(self._model) as line:
            if line is not None:
                for index, standing in self._running.items():
                    line.spend(index, _tokens_of(standing.work))
                if line.num_waiting:
                    for worker in self._lines.lost():
                        line.forget(worker)
                    self._tell_positions(line)
        self.stir()

    def close(self) -> None:
        """Do nothing any more, not even for those who leave."""
        self._is_closed = True
        if self._again is not None:
            self._again.cancel()

    def _stir_later(self) -> None:
        if self._again is None:
            loop = asyncio.get_running_loop()
            self._again = loop.call_later(_PAUSE_S, self._stir_again)

    def _stir_again(self) -> None:
        self._again = None
        self.stir()

    def _take_out(self, line: FairLine) -> None:
        now = asyncio.get_running_loop().time()
        for standing in self._left:
            if standing.index is not None:
                line.leave(standing.index, _tokens_of(standing.work), now - standing.since)
        self._left.clear()

    def _put_in(self, line: FairLine) -> Sequence[int]:
        """Return the entries that this changed."""
        changed: list[int] = []
        came, self._came = self._came, []
        for standing in came:
            standing.index = line.enter(standing.entry, self._bounds)
            if standing.index is None:
                self._refuse(standing, line, is_own_fault=False)
                continue
            self._waiting[standing.index] = standing
            # As if it were the last; the next look knows better.
            standing.work.queue_position = line.num_waiting
            changed += line.serve(self._bounds)
            pushed_out = line.shorten(standing.index, self._bounds)
            changed += [] if pushed_out is None else [pushed_out]
        return changed

    def _heed(self, line: FairLine, indices: Sequence[int]) -> None:
        """See what has become of those of these entries that are this worker's."""
        for index in indices:
            if index not in self._waiting or line.state(index) == WAITING:
                continue
            standing = self._waiting.pop(index)
            if line.state(index) == PUSHED_OUT:
                self._refuse(standing, line, is_own_fault=line.has_others_waiting(index))
                line.leave(index, 0, 0)
            else:
                self._start(standing, index)
        for index in [own for own in self._own if line.state(own) == GIVING_WAY]:
            # Once: a second time would disturb how it ends.
            task = self._own.pop(index)
            if task is not None:
                task.cancel()

    def _start(self, standing: Standing, index: int) -> None:
        self._running[index] = standing
        if standing.entry.is_own:
            self._own[index] = standing.task
        standing.index, standing.is_running = index, True
        standing.since = asyncio.get_running_loop().time()
        standing.work.queue_position = None
        standing.wake()

    def _refuse(self, standing: Standing, line: FairLine, *, is_own_fault: bool) -> None:
        self._expected_wait_s = line.expected_wait_s(self._bounds)
        retry_after_s = self.retry_after_s
        if is_own_fault and not standing.entry.is_own:
            who = "address" if standing.work.caller.key_id is None else "API key"
            standing.error = TooManyWaiting(
                f"This {who} has too many requests waiting.", retry_after_s=retry_after_s
            )
        else:
            standing.error = Overloaded(
                "The model has too many requests waiting; try again later.",
                retry_after_s=retry_after_s,
            )
        standing.index = None
        standing.work.queue_position = None
        standing.wake()

    def _tell_positions(self, line: FairLine) -> None:
        self._expected_wait_s = line.expected_wait_s(self._bounds)
        positions = line.positions() if self._waiting else {}
        for index, standing in self._waiting.items():
            standing.work.queue_position = positions.get(index)


def _tokens_of(work: Work) -> int:
    return work.usage.prompt_tokens + work.usage.completion_tokens
