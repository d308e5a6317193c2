"""How a line of requests lies in memory that several processes may share.

How it works: one buffer of a fixed size, parted into columns of plain numbers: a few of the line
itself, some for each entry (a request), some for each subject (who asks). Zeros are an empty
line. Nothing here locks: whoever reads or writes has the line for itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from sys import byteorder
from typing import Final

# More than an engine runs and a line holds together; each entry has one subject at most.
NUM_ENTRIES: Final = 8192
FREE: Final = 0
WAITING: Final = 1
RUNNING: Final = 2
# It runs, and was asked to end.
GIVING_WAY: Final = 3
# It waited, and is no longer in the line.
PUSHED_OUT: Final = 4
_NUM_LOOKED_AT: Final = 64

_WHOLE: Final = 8
_SMALL: Final = 4
_NUM_WHOLE_COLUMNS: Final = 4
_NUM_SMALL_COLUMNS: Final = 6
_NUM_BYTE_COLUMNS: Final = 3
_HEAD_BYTES: Final = 16 * _WHOLE
NUM_BYTES: Final = _HEAD_BYTES + NUM_ENTRIES * (
    _NUM_WHOLE_COLUMNS * _WHOLE + _NUM_SMALL_COLUMNS * _SMALL + _NUM_BYTE_COLUMNS
)


class LineMemory:
    """The columns, `[NUM_ENTRIES]` each but for the first two.

    Of the line: means (its tag, tokens of an answer, seconds of an answer), marks (the next
    number; behind the last entry and the last row in use; how many wait; places that are taken;
    where to look for an idle row).
    Of an entry: number (smaller came earlier), charge (tokens it has paid), subject (its row),
    places, held (places while it runs), state, worker (the process that has it), is_own.
    Of a subject's row: name, tag (tokens by weight), weight, num_entries, num_waiting.
    """

    def __init__(self, memory: memoryview) -> None:
        """Lie in these `NUM_BYTES`, 8-byte aligned."""
        self._memory, self._at = memory, 0
        self.means = self._take(_HEAD_BYTES // 2).cast("d")
        self.marks = self._take(_HEAD_BYTES // 2).cast("q")
        self.number = self._take(NUM_ENTRIES * _WHOLE).cast("q")
        self.charge = self._take(NUM_ENTRIES * _WHOLE).cast("d")
        self.name = self._take(NUM_ENTRIES * _WHOLE).cast("q")
        self.tag = self._take(NUM_ENTRIES * _WHOLE).cast("d")
        self.weight = self._take(NUM_ENTRIES * _SMALL).cast("i")
        self.num_entries = self._take(NUM_ENTRIES * _SMALL).cast("i")
        self.num_waiting = self._take(NUM_ENTRIES * _SMALL).cast("i")
        self.subject = self._take(NUM_ENTRIES * _SMALL).cast("i")
        self.places = self._take(NUM_ENTRIES * _SMALL).cast("i")
        self.held = self._take(NUM_ENTRIES * _SMALL).cast("i")
        self.state = self._take(NUM_ENTRIES)
        self.worker = self._take(NUM_ENTRIES)
        self.is_own = self._take(NUM_ENTRIES)
        self._rows: dict[int, int] = {}

    @property
    def states(self) -> bytes:
        """The states of all entries up to the last one in use."""
        return bytes(self.state[: self.marks[1]])

    @property
    def num_in_line(self) -> int:
        """How many entries wait."""
        return self.marks[3]

    @property
    def num_held(self) -> int:
        """The places that are taken."""
        return self.marks[4]

    def waiting(self) -> list[int]:
        """Return the entries that wait."""
        return [index for index, state in enumerate(self.states) if state == WAITING]

    def rows_waiting(self) -> Collection[int]:
        """Return rows with all subjects that have something waiting among them."""
        if self.marks[2] <= self.marks[3]:
            return range(self.marks[2])
        return {self.subject[index] for index in self.waiting()}

    def own_running(self) -> list[int]:
        """Return the entries of own work that run, and were not asked to end."""
        if 1 not in bytes(self.is_own[: self.marks[1]]):
            return []
        states = enumerate(self.states)
        return [index for index, state in states if state == RUNNING and self.is_own[index]]

    def new_entry(self, row: int) -> int | None:
        """Return the index of a free entry, which now waits; None when there is none."""
        index = self.states.find(FREE)
        if index < 0:
            index = self.marks[1]
            if index == NUM_ENTRIES:
                return None
            self.marks[1] += 1
        self.number[index] = self.marks[0]
        self.marks[0] += 1
        self.subject[index] = row
        self.num_entries[row] += 1
        self.num_waiting[row] += 1
        self.marks[3] += 1
        self.state[index] = WAITING
        return index

    def start(self, index: int) -> None:
        """Let a waiting entry have its places."""
        self.held[index] = self.places[index]
        self.marks[4] += self.places[index]
        self.end_wait(index, RUNNING)

    def end_wait(self, index: int, state: int) -> None:
        """Have a waiting entry wait no longer."""
        self.state[index] = state
        self.num_waiting[self.subject[index]] -= 1
        self.marks[3] -= 1

    def free(self, index: int) -> None:
        """Have no such entry any more."""
        if self.state[index] == WAITING:
            self.end_wait(index, FREE)
        self.num_entries[self.subject[index]] -= 1
        self.marks[4] -= self.held[index]
        self.state[index], self.held[index], self.is_own[index] = FREE, 0, 0
        last = self.marks[1]
        while last and self.state[last - 1] == FREE:
            last -= 1
        self.marks[1] = last

    def row(self, name: int) -> int:
        """Return the row of a subject; one without a row gets one, its tag is the line's."""
        row = self._rows.get(name)
        if row is not None and self.name[row] == name and row < self.marks[2]:
            return row
        row = self._find(name)
        if row is None:
            row = self._new_row(name)
        if len(self._rows) >= NUM_ENTRIES:
            self._rows.clear()
        self._rows[name] = row
        return row

    def recount(self) -> None:
        """Count everything anew: a process that died may have been in the middle of counting."""
        states = self.states
        self.marks[3] = states.count(WAITING)
        self.marks[4] = sum(self.held[: self.marks[1]])
        entries = Counter(self.subject[i] for i, state in enumerate(states) if state != FREE)
        waiting = Counter(self.subject[i] for i, state in enumerate(states) if state == WAITING)
        for row in range(self.marks[2]):
            self.num_entries[row], self.num_waiting[row] = entries[row], waiting[row]

    def release(self) -> None:
        """Let go of the memory; nothing may be asked after that."""
        for column in vars(self).values():
            if isinstance(column, memoryview):
                column.release()

    def _find(self, name: int) -> int | None:
        # As bytes: another worker may have given it a row, and there may be thousands.
        names = self.name[: self.marks[2]].tobytes()
        wanted, at = name.to_bytes(_WHOLE, byteorder, signed=True), 0
        while (at := names.find(wanted, at)) % _WHOLE:
            if at < 0:
                return None
            at += 1
        return at // _WHOLE

    def _new_row(self, name: int) -> int:
        """Put it behind the others, else in place of an idle one."""
        row = self.marks[2]
        if row == NUM_ENTRIES:
            row = self._idle_row()
        self.name[row], self.tag[row], self.weight[row] = name, self.means[0], 1
        self.num_entries[row] = self.num_waiting[row] = 0
        self.marks[2] = max(row + 1, self.marks[2])
        return row

    def _idle_row(self) -> int:
        """Return the row by whose loss the least is lost, of some: all would take too long."""
        for _ in range(NUM_ENTRIES // _NUM_LOOKED_AT):
            begin = self.marks[5]
            end = begin + _NUM_LOOKED_AT
            self.marks[5] = end % NUM_ENTRIES
            idle = [row for row in range(begin, end) if not self.num_entries[row]]
            if idle:
                return min(idle, key=self.tag.__getitem__)
        # Then there is no free entry either.
        return 0

    def _take(self, num_bytes: int) -> memoryview:
        self._at += num_bytes
        return self._memory[self._at - num_bytes : self._at]
