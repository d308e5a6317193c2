"""`scripts/fleet measure`: what a fleet brings, each figure beside what it is compared with.

Run one after the other in one go: on a machine with other work only the ratios hold.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from scripts.scaling.drills import kills, restarts
from scripts.scaling.parts import SIMULATED
from scripts.scaling.running import RunningFleet, running_fleet
from scripts.scaling.traffic import CHAT, Answer, Clients, ask, chat

Say = Callable[[str], None]
_PLACES = 8
_TOKEN_MS = 40
_WARM_SHARE = 0.2
_NUM_CONVERSATIONS = 24
_NUM_TURNS = 4
_SIDE_BY_SIDE = 4
_FACTS = range(9)
# 20 tokens a second are read faster than most people read.
_SIZING_TOKEN_MS = 50
_PAID = ("conch", "haproxy", "triton")
_SIZING_STREAMS = (16, 64, 128)


async def measure(options: argparse.Namespace, say: Say) -> None:
    """Measure what the command line names, and print it as a table of Markdown."""
    ways: Mapping[str, Callable[[], Awaitable[None]]] = {
        "throughput": lambda: _throughput(options.seconds, say),
        "prefix": lambda: _prefix(say),
        "restarts": lambda: restarts(say),
        "kills": lambda: kills(say),
        "sizing": lambda: _sizing(options.seconds, say),
    }
    await ways[options.what]()


def _pace(token_ms: int, places: int) -> tuple[str, ...]:
    """The first token takes as long as the others, so that each place has one rate."""
    pace = {"--first-token-ms": token_ms, "--token-ms": token_ms, "--max-batch": places}
    return tuple(part for name, value in pace.items() for part in (name, str(value)))


async def _throughput(seconds: float, say: Say) -> None:
    say("| Tritons | tokens/s | of what engines can | of so many single ones |\n|---|---|---|---|")
    single = 0.0
    for count in (1, 2, 4):
        pace = _pace(_TOKEN_MS, _PLACES)
        async with running_fleet("--tritons", str(count), *pace) as fleet:
            clients = Clients(fleet.port, SIMULATED, num_tokens=64)
            began = time.monotonic()
            traffic = await clients.run(2 * count * _PLACES, seconds)
            rate = traffic.tokens_per_s(began + _WARM_SHARE * seconds, began + seconds)
        single = single or rate
        can = count * _PLACES * 1000 / _TOKEN_MS
        failed = f" ({len(traffic.failed)} failed)" if traffic.failed else ""
        say(f"| {count} | {rate:,.0f}{failed} | {rate / can:.2f} | {rate / count / single:.2f} |")


async def _prefix(say: Say) -> None:
    say("| requests go | of the later turns' tokens found in the cache |\n|---|---|")
    ways = {
        "to 4 Tritons by the session key": ("--tritons", "4"),
        "to 4 Tritons in turn": ("--tritons", "4", "--no-hashing"),
        "to a single Triton": ("--tritons", "1"),
    }
    for name, options in ways.items():
        async with running_fleet("--model", "demo", *options) as fleet:
            at_once = asyncio.Semaphore(_SIDE_BY_SIDE)
            turns = await asyncio.gather(
                *(_converse(number, fleet, at_once) for number in range(_NUM_CONVERSATIONS))
            )
        later = [turn for conversation in turns for turn in conversation[1:]]
        prompt = sum(turn.prompt_tokens for turn in later)
        say(f"| {name} | {sum(turn.cached_tokens for turn in later) / max(prompt, 1):.0%} |")


async def _converse(number: int, fleet: RunningFleet, at_once: asyncio.Semaphore) -> list[Answer]:
    facts = " ".join(f"Fact {number}.{index}: stone {number * index} is blue." for index in _FACTS)
    messages = [{"role": "user", "content": f"{facts} What is Conch?"}]
    turns = []
    for turn in range(_NUM_TURNS):
        async with at_once:
            body = {**chat("demo", "", 24), "messages": list(messages)}
            turns.append(await ask(fleet.port, CHAT, body))
        messages.append({"role": "assistant", "content": turns[-1].text})
        messages.append({"role": "user", "content": f"Go on, part {turn}."})
    return turns


async def _sizing(seconds: float, say: Say) -> None:
    say(
        "| streams | tokens/s | of what the engine can | first token, median ms "
        "| CPU µs a token: frontends | HAProxy | Triton |\n|---|---|---|---|---|---|---|"
    )
    for streams in _SIZING_STREAMS:
        size = ("--tritons", "1", "--frontends", "1")
        async with running_fleet(*size, *_pace(_SIZING_TOKEN_MS, streams)) as fleet:
            say(await _sized(fleet, streams, seconds))


async def _sized(fleet: RunningFleet, streams: int, seconds: float) -> str:
    before, began = await fleet.cpu_s(), time.monotonic()
    traffic = await Clients(fleet.port, SIMULATED, num_tokens=128).run(streams, seconds)
    after = await fleet.cpu_s()
    tokens = sum(answer.num_tokens for answer in traffic.answers)
    rate = traffic.tokens_per_s(began + _WARM_SHARE * seconds, began + seconds)
    waits = sorted(1000 * (each.first_at - each.began_at) for each in traffic.answers)
    spent = [1e6 * (after[part] - before[part]) / max(tokens, 1) for part in _PAID]
    can = streams * 1000 / _SIZING_TOKEN_MS
    median = waits[len(waits) // 2]
    shown = " | ".join(f"{each:,.0f}" for each in spent)
    return f"| {streams} | {rate:,.0f} | {rate / can:.2f} | {median:.0f} | {shown} |"
