"""Who is next: weighted fair order by tokens, a bounded line, and processes that die."""

import time
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from frontend_api.domain.fair_line import Bounds, Entry, FairLine
from frontend_api.domain.line_memory import (
    GIVING_WAY,
    NUM_BYTES,
    NUM_ENTRIES,
    PUSHED_OUT,
    RUNNING,
    WAITING,
    LineMemory,
)

ONE_PLACE = Bounds(places=1, max_waiting=1000)
A, B, C = 1, 2, 3


def empty_line() -> FairLine:
    return FairLine(LineMemory(memoryview(bytearray(NUM_BYTES))))


def entered(line: FairLine, subject: int, bounds: Bounds = ONE_PLACE, **fields: Any) -> int:
    """Return the index of a new entry, after it has been tried to serve it."""
    index = line.enter(Entry(worker=0, subject=subject, **fields), bounds)
    assert index is not None
    line.serve(bounds)
    line.shorten(index, bounds)
    return index


def running(line: FairLine, *indices: int) -> list[int]:
    return [index for index in indices if line.state(index) == RUNNING]


def ended(line: FairLine, index: int, tokens: int = 64, bounds: Bounds = ONE_PLACE) -> None:
    line.leave(index, tokens, 1.0)
    line.serve(bounds)


def served(
    line: FairLine, waiting: dict[int, int], tokens: dict[int, int], rounds: int
) -> Counter[int]:
    """Let so many entries run one by one, each subject's of so many tokens; tokens of each."""
    total: Counter[int] = Counter()
    for _ in range(rounds):
        (index,) = running(line, *waiting)
        subject = waiting.pop(index)
        total[subject] += tokens[subject]
        ended(line, index, tokens[subject])
    return total


def test_a_free_place_is_given_at_once() -> None:
    line = empty_line()

    index = entered(line, A)

    assert line.state(index) == RUNNING
    assert line.num_waiting == 0


def test_no_more_run_than_there_are_places() -> None:
    line, bounds = empty_line(), Bounds(places=3, max_waiting=10)

    indices = [entered(line, A, bounds) for _ in range(5)]

    assert running(line, *indices) == indices[:3]
    assert line.num_waiting == 2


def test_a_single_request_is_next_whoever_has_a_hundred_in_line() -> None:
    line = empty_line()
    first, *_ = [entered(line, A) for _ in range(100)]
    single = entered(line, B)

    ended(line, first, tokens=5)

    assert line.state(single) == RUNNING


def test_who_came_first_is_first_among_one_subjects_requests() -> None:
    line = empty_line()
    indices = [entered(line, A) for _ in range(3)]

    ended(line, indices[0])

    assert running(line, *indices[1:]) == [indices[1]]


def test_tokens_are_shared_by_weight_whatever_answers_come_to() -> None:
    line = empty_line()
    weights, tokens = {A: 3, B: 1}, {A: 20, B: 150}
    waiting = {
        entered(line, subject, weight=weights[subject]): subject
        for _ in range(300)
        for subject in (A, B)
    }

    total = served(line, waiting, tokens, 300)

    assert 2.8 < total[A] / total[B] < 3.2


def test_what_a_running_answer_uses_counts_before_it_ends() -> None:
    line, bounds = empty_line(), Bounds(places=2, max_waiting=10)
    long, short = entered(line, A, bounds), entered(line, B, bounds)
    of_a, of_b = entered(line, A, bounds), entered(line, B, bounds)

    line.spend(long, 5000)
    ended(line, short, 64, bounds)

    assert running(line, of_a, of_b) == [of_b]


def test_nobody_saves_up_while_away() -> None:
    line = empty_line()
    entered(line, B)
    others = {entered(line, A): A for _ in range(200)}
    ended(line, 0)
    served(line, others, {A: 1000}, 100)
    waiting = others | {entered(line, B): B for _ in range(20)}

    total = served(line, waiting, {A: 100, B: 100}, 20)

    assert total[B] <= 1200


def test_a_request_with_many_answers_waits_for_as_many_places() -> None:
    line, bounds = empty_line(), Bounds(places=4, max_waiting=10)
    ones = [entered(line, A, bounds) for _ in range(3)]
    many = entered(line, B, bounds, places=3)
    later = entered(line, C, bounds)

    assert running(line, many, later) == []
    ended(line, ones[0], 64, bounds)
    assert running(line, many, later) == []
    ended(line, ones[1], 64, bounds)
    assert running(line, many, later) == [many]


def test_more_answers_than_places_take_all_of_them() -> None:
    line, bounds = empty_line(), Bounds(places=4, max_waiting=10)

    many = entered(line, A, bounds, places=100)
    later = entered(line, B, bounds)

    assert running(line, many, later) == [many]


def test_more_places_than_a_model_has_by_now_are_given_when_nothing_runs() -> None:
    line, before, after = empty_line(), Bounds(4, 10), Bounds(2, 10)
    running_now = entered(line, A, before, places=4)
    many = entered(line, A, before, places=4)

    ended(line, running_now, 64, after)

    assert line.state(many) == RUNNING


def test_the_servers_own_work_comes_last_and_gives_way() -> None:
    line, bounds = empty_line(), Bounds(places=2, max_waiting=10)
    own = entered(line, C, bounds, is_own=True)
    assert line.state(own) == RUNNING
    first, second = entered(line, A, bounds), entered(line, A, bounds)
    more_own = entered(line, C, bounds, is_own=True)

    assert line.state(first) == RUNNING
    assert (line.state(second), line.state(own)) == (WAITING, GIVING_WAY)
    ended(line, own, 12, bounds)
    assert line.state(second) == RUNNING
    assert line.state(more_own) == WAITING


def test_a_full_line_pushes_out_the_latest_of_who_has_most_in_it() -> None:
    line, bounds = empty_line(), Bounds(places=1, max_waiting=4)
    of_a = [entered(line, A, bounds) for _ in range(5)]

    of_b = entered(line, B, bounds)

    assert [line.state(index) for index in (of_a[-1], of_b)] == [PUSHED_OUT, WAITING]
    assert line.has_others_waiting(of_a[-1])
    assert line.num_waiting == 4


def test_who_alone_fills_the_line_is_refused_itself() -> None:
    line, bounds = empty_line(), Bounds(places=1, max_waiting=2)
    kept = [entered(line, A, bounds) for _ in range(3)]

    late = entered(line, A, bounds)

    assert [line.state(index) for index in kept] == [RUNNING, WAITING, WAITING]
    assert line.state(late) == PUSHED_OUT


def test_a_line_full_of_single_requests_refuses_the_next() -> None:
    line, bounds = empty_line(), Bounds(places=1, max_waiting=3)
    for subject in range(4):
        entered(line, subject, bounds)

    late = entered(line, 9, bounds)

    assert line.state(late) == PUSHED_OUT
    assert not line.has_others_waiting(late)


def test_positions_tell_the_order_in_which_places_are_given() -> None:
    line = empty_line()
    running_now = entered(line, A)
    waiting = [entered(line, subject) for subject in (A, A, A, B, C, B)]
    positions = line.positions()

    order = []
    for _ in waiting:
        ended(line, running_now)
        (running_now,) = running(line, *(index for index in waiting if index not in order))
        order.append(running_now)

    assert sorted(positions, key=positions.__getitem__) == order


def test_places_of_a_process_that_died_are_free_again() -> None:
    line, bounds = empty_line(), Bounds(places=2, max_waiting=10)
    for _ in range(4):
        line.enter(Entry(worker=7, subject=A), bounds)
    line.serve(bounds)
    mine = entered(line, B, bounds)

    line.forget(7)
    line.serve(bounds)

    assert line.state(mine) == RUNNING
    assert line.num_waiting == 0


def test_a_wait_is_told_from_how_long_answers_take() -> None:
    line, bounds = empty_line(), Bounds(places=2, max_waiting=10)
    for _ in range(100):
        index = entered(line, A, bounds)
        line.leave(index, 10, 3.0)
    for _ in range(5):
        entered(line, A, bounds)

    assert 5.9 < line.expected_wait_s(bounds) < 6.1


def test_the_memory_never_overflows() -> None:
    line, bounds = empty_line(), Bounds(places=NUM_ENTRIES, max_waiting=10)
    indices = [line.enter(Entry(worker=0, subject=n), bounds) for n in range(NUM_ENTRIES)]

    assert line.enter(Entry(worker=0, subject=-1), bounds) is None
    for index in indices:
        assert index is not None
        line.leave(index, 0, 0)
    # A subject more than there are rows takes the place of one that has nothing here.
    assert line.state(entered(line, -2, bounds)) == RUNNING


def test_more_subjects_than_there_are_rows_are_told_apart_while_they_are_here() -> None:
    line, bounds = empty_line(), Bounds(places=2, max_waiting=10)
    for subject in range(NUM_ENTRIES):
        line.leave(entered(line, subject, bounds), 1, 0.1)
    first, second = entered(line, -1, bounds), entered(line, -2, bounds)
    waiting = [entered(line, subject, bounds) for subject in (-1, -1, -2)]

    ended(line, first, 500, bounds)
    ended(line, second, 10, bounds)

    assert running(line, *waiting) == [waiting[0], waiting[2]]


def test_a_million_subjects_take_little_longer_each_than_the_first_hundreds() -> None:
    """All of them cannot be tried here; those that find every row taken can."""
    line, bounds = empty_line(), Bounds(places=2, max_waiting=10)

    def passed_s(first: int) -> float:
        began = time.thread_time()
        for subject in range(first, first + 256):
            index = line.start_at_once(Entry(worker=0, subject=subject), bounds)
            assert index is not None
            line.leave(index, 1, 0.1)
        return time.thread_time() - began

    first_s = passed_s(0)
    for first in range(256, NUM_ENTRIES, 256):
        passed_s(first)

    # Looking at all rows for a free one takes a hundred times as long.
    assert min(passed_s(NUM_ENTRIES + first) for first in range(0, 1024, 256)) < 15 * first_s


def test_two_views_of_one_memory_are_one_line() -> None:
    memory = memoryview(bytearray(NUM_BYTES))
    one, two = FairLine(LineMemory(memory)), FairLine(LineMemory(memory))
    first, second = entered(one, A), entered(two, B)

    ended(one, first)

    assert two.state(second) == RUNNING
    assert two.worker(second) == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4), st.booleans()), max_size=60))
def test_places_are_never_given_twice_and_never_kept_back(
    steps: list[tuple[int, int, bool]],
) -> None:
    line, bounds = empty_line(), Bounds(places=4, max_waiting=5)
    held: dict[int, int] = {}
    for subject, places, does_leave in steps:
        if does_leave and held:
            ended(line, next(iter(held)), 10 * places, bounds)
            held.pop(next(iter(held)))
        else:
            held[entered(line, subject, bounds, places=places)] = places
        for index in [index for index in held if line.state(index) == PUSHED_OUT]:
            line.leave(index, 0, 0)
            del held[index]
        num_taken = sum(n for index, n in held.items() if line.state(index) == RUNNING)
        num_waiting = sum(line.state(index) == WAITING for index in held)

        assert num_taken <= 4
        assert num_waiting == line.num_waiting <= 5
        assert num_taken + max(held.values(), default=0) > 4 or not num_waiting
