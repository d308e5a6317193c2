"""What users of a fleet see when its parts are restarted one by one, and when one is killed."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable

from scripts.scaling import control
from scripts.scaling.parts import SIMULATED
from scripts.scaling.running import RunningFleet, running_fleet
from scripts.scaling.traffic import CHAT, Answer, Clients, Traffic, ask, chat

_PARTS = ("tritons", "haproxy", "frontends", "mongods")
_NUM_CLIENTS = 12
_NUM_LONG = 16
# 400 tokens of 20 ms: they outlast the kill and what follows.
_LONG_TOKENS = 400
_SETTLE_S = 2.0
_PACE = ("--first-token-ms", "50", "--token-ms", "20", "--max-batch", "64")


async def restarts(say: Callable[[str], None]) -> None:
    """Restart every part under traffic, of which half is stored."""
    size = ("--tritons", "2", "--frontends", "2", "--workers", "2", "--mongods", "3")
    say("| restarted in turn | seconds | requests meanwhile | failed |\n|---|---|---|---|")
    async with running_fleet(*size, *_PACE) as fleet:
        for what in _PARTS:
            clients = Clients(fleet.port, SIMULATED, num_tokens=40, stored=True)
            traffic, took_s = await during(clients, fleet, what)
            say(f"| {what} | {took_s:.0f} | {len(traffic.answers)} | {len(traffic.failed)} |")
            for error, count in Counter(each.error for each in traffic.failed).items():
                say(f"  {count} failed: {error}")


async def during(clients: Clients, fleet: RunningFleet, what: str) -> tuple[Traffic, float]:
    """Return what clients saw from before a rolling restart until after it, and its seconds."""
    is_over = asyncio.Event()
    seen = asyncio.create_task(clients.run_until(is_over, _NUM_CLIENTS))
    try:
        await asyncio.sleep(_SETTLE_S)
        began = time.monotonic()
        await control.restart(fleet.port, what)
        took_s = time.monotonic() - began
        await asyncio.sleep(_SETTLE_S)
    finally:
        is_over.set()
        traffic = await seen
    return traffic, took_s


async def kills(say: Callable[[str], None]) -> None:
    """Kill one Triton, then one frontend, with SIGKILL, in the middle of streams."""
    size = ("--tritons", "2", "--frontends", "2", "--workers", "2")
    say(
        "| killed | its requests ended: error event | cut off | 502 "
        "| answered meanwhile | failed at others |\n|---|---|---|---|---|---|"
    )
    async with running_fleet(*size, *_PACE) as fleet:
        for name in ("triton1", "conch1"):
            say(await _killed(name, fleet))


async def _killed(name: str, fleet: RunningFleet) -> str:
    is_over = asyncio.Event()
    long = [
        asyncio.create_task(ask(fleet.port, CHAT, chat(SIMULATED, f"Long {n}", _LONG_TOKENS)))
        for n in range(_NUM_LONG)
    ]
    clients = Clients(fleet.port, SIMULATED, num_tokens=20)
    seen = asyncio.create_task(clients.run_until(is_over, _NUM_CLIENTS))
    try:
        await asyncio.sleep(_SETTLE_S)
        os.kill(await fleet.pid(name), signal.SIGKILL)
        await asyncio.sleep(_SETTLE_S)
    finally:
        is_over.set()
        traffic = await seen
        answers = [*await asyncio.gather(*long), *traffic.answers]
    ends = Counter(map(_end_of, answers))
    lost = [ends["event"], ends["cut"], ends["refused"]]
    shown = [*lost, ends["whole"], await fleet.broken_by_others(name)]
    return f"| {name} | {' | '.join(map(str, shown))} |"


def _end_of(answer: Answer) -> str:
    if not answer.error:
        return "whole"
    return answer.error.partition(":")[0] if answer.error[:3] in ("eve", "cut") else "refused"
