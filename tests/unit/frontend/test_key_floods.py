"""Floods of made-up keys, and guesses at the secret of one."""

import random
import statistics
import time

import psutil
import pytest

from frontend_api.adapters.sqlite import memory_store
from frontend_api.domain.errors import WrongKey
from frontend_api.domain.keys import new_id, new_secret, written
from frontend_api.service.audit import Audit, Happening
from frontend_api.service.key_checks import KeyChecks
from tests.unit.frontend.test_key_checks import KEY, KEY_ID, SECRET, MemoryKeys, Watch

NUM_MADE_UP = 20_000
MAX_GROWTH_BYTES = 10 * 1024 * 1024
NUM_TRIES = 3
NUM_ROUNDS = 40
NUM_TIMED = 80
# Of Student's test: what timing attacks are usually held against.
MAX_T = 4.5


@pytest.mark.slow
async def test_a_flood_of_made_up_keys_fills_no_memory() -> None:
    checks = KeyChecks(MemoryKeys(), Watch(), ())
    audit = Audit(memory_store(), Watch(), days=0)
    memory = psutil.Process().memory_info
    before = memory().rss
    for number in range(NUM_MADE_UP):
        key_id = new_id()
        await _refused_in(checks, written(key_id, SECRET))
        audit.note(Happening(actor=str(number), action="request.refused", outcome=key_id))

    assert memory().rss - before < MAX_GROWTH_BYTES


async def test_how_long_a_wrong_secret_takes_tells_nothing_of_the_right_one() -> None:
    checks = KeyChecks(MemoryKeys(KEY), Watch(), ())
    # What is told is told each time; what the machine does besides is not.
    assert min([await _t(checks) for _ in range(NUM_TRIES)]) < MAX_T


async def _t(checks: KeyChecks) -> float:
    # Round by round, as the machine may do other things for a while.
    differences = [await _difference(checks) for _ in range(NUM_ROUNDS)]
    error = statistics.stdev(differences) / NUM_ROUNDS**0.5
    return float(abs(statistics.fmean(differences) / error))


async def _difference(checks: KeyChecks) -> float:
    """Return by how many seconds an almost right secret takes longer than a wholly wrong one."""
    # Of both only the last characters change: a processor learns what comes again and again.
    beginnings = {"nearly": SECRET[:-8], "wholly": new_secret()[:-8]}
    tried = [
        (kind, written(KEY_ID, beginning + new_secret()[:8]))
        for _ in range(NUM_TIMED)
        for kind, beginning in beginnings.items()
    ]
    random.shuffle(tried)
    times: dict[str, list[float]] = {"nearly": [], "wholly": []}
    for kind, presented in tried:
        times[kind].append(await _refused_in(checks, presented))
    return statistics.median(times["nearly"]) - statistics.median(times["wholly"])


async def _refused_in(checks: KeyChecks, presented: str) -> float:
    began = time.perf_counter()
    try:
        await checks.admit(presented)
    except WrongKey:
        return time.perf_counter() - began
    raise AssertionError("a wrong key was let in")
