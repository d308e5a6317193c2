"""Who is next before a model: weighted fair order by the tokens each subject has used.

How it works: start-time fair queuing (Goyal, Vin and Cheng, SIGCOMM 1996) with tokens for cost. A
subject, usually a key, has a tag: its tokens, divided by its weight. The next free place is for
the waiting subject with the smallest tag, and there for whoever came first. A place is paid in
advance with what answers come to on average, and at the end with what it came to. Nobody saves
up: who has nothing waiting comes back with the tag of who was served last, or its own if that is
larger. The server's own work comes after everybody's, costs nothing, and gives way.

When more wait than may, the latest of the subject with the most waiting for its weight goes: so
nobody's flood keeps others out of the line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from frontend_api.domain.line_memory import (
    FREE,
    GIVING_WAY,
    PUSHED_OUT,
    WAITING,
    LineMemory,
)

# Until answers have been counted.
_ANSWER_TOKENS: Final = 64.0
_ANSWER_S: Final = 1.0
# What one answer counts in the means.
_SHARE_OF_LAST: Final = 1 / 8


class Entry(NamedTuple):
    """A request that wants places; max_tokens: of all its answers, None: not known.

    worker: the process that has it, 0 to 255. subject: a number that stands for who asks; own
    work has one of its own.
    """

    worker: int
    subject: int
    weight: int = 1
    places: int = 1
    max_tokens: int | None = None
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """What runs at once, and how many may wait."""

    places: int
    max_waiting: int


class FairLine:
    """The line of one model; its callers see to it that only one of them uses it at a time."""

    def __init__(self, memory: LineMemory) -> None:
        """Lie there."""
        self._at = memory

    @property
    def num_waiting(self) -> int:
        """How many are in line."""
        return self._at.num_in_line

    def state(self, index: int) -> int:
        """Return how it is with an entry: one of the states of line_memory.py."""
        return self._at.state[index]

    def worker(self, index: int) -> int:
        """Return the process that has this entry."""
        return self._at.worker[index]

    def has_others_waiting(self, index: int) -> bool:
        """Whether more of this entry's subject are in line."""
        at = self._at
        return at.num_waiting[at.subject[index]] > (at.state[index] == WAITING)

    def enter(self, entry: Entry, bounds: Bounds) -> int | None:
        """Return the index under which it waits from now on; None when the memory is full."""
        at = self._at
        row = at.row(entry.subject)
        index = at.new_entry(row)
        if index is None:
            return None
        at.worker[index], at.is_own[index] = entry.worker, entry.is_own
        at.places[index] = min(entry.places, bounds.places)
        at.weight[row] = entry.weight
        if entry.is_own:
            at.tag[row], at.charge[index] = math.inf, 0.0
            return index
        if at.num_waiting[row] == 1:
            at.tag[row] = max(at.tag[row], at.means[0])
        price = at.places[index] * self._usual_tokens
        at.charge[index] = price if entry.max_tokens is None else min(price, entry.max_tokens)
        return index

    def start_at_once(self, entry: Entry, bounds: Bounds) -> int | None:
        """Return the index under which it runs from now on; None when it has to wait."""
        at = self._at
        if at.num_in_line or at.num_held + entry.places > bounds.places:
            return None
        index = self.enter(entry, bounds)
        if index is not None:
            self._start(index)
        return index

    def serve(self, bounds: Bounds) -> Sequence[int]:
        """Give the free places away; the entries that it changed."""
        at = self._at
        if not at.num_in_line:
            return ()
        changed: list[int] = []
        while at.num_in_line and at.num_held < bounds.places:
            first = self._first()
            # Alone it always fits: the model may have been loaded again with fewer places.
            if at.num_held and at.num_held + at.places[first] > bounds.places:
                break
            self._start(first)
            changed.append(first)
        return changed + self._made_room() if at.num_in_line else changed

    def shorten(self, newest: int, bounds: Bounds) -> int | None:
        """Push one out if more wait than may, now that `newest` does too; returns its index."""
        at = self._at
        if self.num_waiting <= bounds.max_waiting or at.state[newest] != WAITING:
            return None
        last = newest
        row = max(at.rows_waiting(), key=self._load)
        if not at.is_own[newest] and self._load(row) > self._load(at.subject[newest]):
            last = max(
                (index for index in at.waiting() if at.subject[index] == row),
                key=at.number.__getitem__,
            )
        at.end_wait(last, PUSHED_OUT)
        return last

    def spend(self, index: int, num_tokens: int) -> None:
        """Charge what a running entry has used so far, if it is more than it has paid."""
        at = self._at
        if num_tokens > at.charge[index] and not at.is_own[index]:
            self._pay(index, num_tokens)

    def leave(self, index: int, num_tokens: int, duration_s: float) -> None:
        """Take an entry out; with what it has used, and for how long, if it ran."""
        at = self._at
        if at.held[index] and not at.is_own[index]:
            self._pay(index, num_tokens)
            if num_tokens:
                self._learn(num_tokens / at.places[index], duration_s)
        at.free(index)

    def forget(self, worker: int) -> None:
        """Take out all entries of a process that is gone."""
        at = self._at
        for index, state in enumerate(at.states):
            if state != FREE and at.worker[index] == worker:
                at.free(index)
        at.recount()

    def positions(self) -> Mapping[int, int]:
        """Return who will be the how manieth, as it looks now; 1 is next."""
        at, usual_tokens = self._at, self._usual_tokens
        # Where the next of a subject's requests will stand.
        tags: dict[int, float] = {}
        order: list[tuple[float, int, int]] = []
        for number, index in sorted((at.number[index], index) for index in at.waiting()):
            row = at.subject[index]
            tag = tags.get(row, at.tag[row])
            order.append((tag, number, index))
            tags[row] = tag + at.places[index] * usual_tokens / at.weight[row]
        return {index: rank for rank, (*_, index) in enumerate(sorted(order), 1)}

    def expected_wait_s(self, bounds: Bounds) -> float:
        """Return how long it will take, about, until who comes now has a place."""
        rounds = (self.num_waiting + 1) / bounds.places
        return rounds * (self._at.means[2] or _ANSWER_S)

    @property
    def _usual_tokens(self) -> float:
        return self._at.means[1] or _ANSWER_TOKENS

    def _first(self) -> int:
        at = self._at
        if at.num_in_line == 1:
            return at.states.index(WAITING)
        tags, subjects, numbers = at.tag, at.subject, at.number
        return min(at.waiting(), key=lambda index: (tags[subjects[index]], numbers[index]))

    def _load(self, row: int) -> float:
        return self._at.num_waiting[row] / self._at.weight[row]

    def _start(self, index: int) -> None:
        at = self._at
        row = at.subject[index]
        if not at.is_own[index]:
            at.means[0] = max(at.means[0], at.tag[row])
            at.tag[row] += at.charge[index] / at.weight[row]
        at.start(index)

    def _made_room(self) -> list[int]:
        """Ask own work to end when a client waits; returns the entries that were asked."""
        at = self._at
        running = at.own_running()
        if not running or all(at.is_own[index] for index in at.waiting()):
            return []
        for index in running:
            at.state[index] = GIVING_WAY
        return running

    def _pay(self, index: int, num_tokens: int) -> None:
        at = self._at
        row = at.subject[index]
        at.tag[row] += (num_tokens - at.charge[index]) / at.weight[row]
        at.charge[index] = num_tokens

    def _learn(self, num_tokens: float, duration_s: float) -> None:
        means = self._at.means
        for number, value in ((1, num_tokens), (2, duration_s)):
            before = means[number] or value
            means[number] = before + _SHARE_OF_LAST * (value - before)
