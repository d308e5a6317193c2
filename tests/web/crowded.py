"""How good clients fare at a server that bad ones crowd, held against a server without them.

The two are asked in turn: whatever else the machine does meanwhile is the same for both, but for
single moments. So the round counts in which they differed the least.
"""

from __future__ import annotations

import time

import httpx

NUM_ROUNDS, NUM_ASKED = 3, 100
# What one time slice of a busy machine may add to the one and not to the other.
SLICE_S = 0.01


async def p99s_s(crowded: httpx.AsyncClient, quiet: httpx.AsyncClient) -> tuple[float, float]:
    """Return the 99th percentile of how long each takes, in seconds."""
    rounds = [await _round(crowded, quiet) for _ in range(NUM_ROUNDS)]
    return min(rounds, key=lambda times: times[0] / times[1])


async def _round(crowded: httpx.AsyncClient, quiet: httpx.AsyncClient) -> tuple[float, float]:
    times: dict[httpx.AsyncClient, list[float]] = {crowded: [], quiet: []}
    for number in range(NUM_ASKED):
        for client in (crowded, quiet) if number % 2 else (quiet, crowded):
            began = time.perf_counter()
            assert (await client.get("/v1/models")).status_code == 200
            times[client].append(time.perf_counter() - began)
    return _p99(times[crowded]), _p99(times[quiet])


def _p99(times: list[float]) -> float:
    return sorted(times)[-1 - len(times) // 100]
