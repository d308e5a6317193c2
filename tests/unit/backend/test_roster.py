"""Who waits, who runs, who is told what."""

import pytest

from triton_backend.llm.engines.protocol import Delta, SequenceParams
from triton_backend.llm.engines.roster import Roster
from triton_backend.llm.errors import EngineFailed
from triton_backend.llm.request import Sampling

PARAMS = SequenceParams(Sampling(), max_tokens=4, seed=0, stop_token_ids=())


def test_sequences_start_in_order_and_no_more_than_fit() -> None:
    roster = Roster(max_running=2)
    added = [roster.add([index], PARAMS, lambda delta: None) for index in range(3)]

    started = roster.start_waiting()

    assert started == added[:2]
    assert (len(roster.running), roster.num_waiting, roster.prompt_tokens) == (2, 1, 2)


def test_a_finished_sequence_makes_room_for_the_next() -> None:
    roster = Roster(max_running=1)
    first, second = (roster.add([1], PARAMS, lambda delta: None) for _ in range(2))
    roster.start_waiting()

    roster.finish(first, Delta((5,), finish="length"))

    assert roster.start_waiting() == [second]
    assert roster.generated_tokens == 1


def test_a_sequence_cancelled_while_it_waits_never_starts() -> None:
    roster = Roster(max_running=1)
    seen: list[Delta] = []
    roster.add([1], PARAMS, lambda delta: None)
    roster.add([2], PARAMS, seen.append).cancel()

    roster.start_waiting()

    assert seen == [Delta(finish="cancelled")]
    assert roster.num_waiting == 0


def test_a_closed_roster_takes_nothing_and_ends_everybody() -> None:
    roster = Roster(max_running=1)
    seen: list[Delta] = []
    roster.add([1], PARAMS, seen.append)
    roster.start_waiting()
    roster.add([2], PARAMS, seen.append)

    roster.close()
    roster.end_all()

    assert seen == [Delta(finish="cancelled")] * 2
    assert not roster.wait()
    with pytest.raises(EngineFailed):
        roster.add([3], PARAMS, seen.append)


def test_waiting_ends_when_something_is_added() -> None:
    roster = Roster(max_running=1)
    roster.add([1], PARAMS, lambda delta: None)

    assert roster.wait()
    assert roster.wait(timeout_s=0)
