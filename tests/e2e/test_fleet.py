"""`scripts/fleet`: two Tritons behind HAProxy, two frontends, one MongoDB, each a real process."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from scripts.launcher.bootstrap import ROOT
from scripts.scaling import control
from scripts.scaling.parts import SIMULATED
from scripts.scaling.status import Row
from scripts.scaling.traffic import CHAT, Clients, ask, chat
from tests.e2e.conch_process import LIMIT_S, Conch, environment, is_gone, until

NUM_LONG = 8
COMMAND = [sys.executable, "-P", "-m", "scripts.scaling", "--port", "0"]
SIZE = ["--tritons", "2", "--frontends", "2", "--first-token-ms", "20", "--token-ms", "40"]


class Fleet:
    """A started fleet."""

    def __init__(self, process: Conch) -> None:
        self.process = process
        self.port = int(process.wait_for_line(r"The fleet is ready: http://[\d.]+:(\d+)")[1])

    async def part(self, name: str) -> Row:
        return next(row for row in await control.status(self.port) if row.name == name)

    async def figure(self, name: str, triton: str) -> float:
        """Return one of an engine's figures."""
        url = (await self.part(triton)).note.removeprefix("metrics ")
        async with httpx.AsyncClient(timeout=LIMIT_S) as http:
            text = (await http.get(url)).text
        found = re.search(rf'^{name}{{model="{SIMULATED}",version="1"}} (\S+)$', text, re.M)
        return float(found[1]) if found else 0.0

    async def figures(self, name: str) -> list[float]:
        return [await self.figure(name, triton) for triton in ("triton1", "triton2")]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """A fleet whose parts may be restarted and killed."""
    with subprocess.Popen(
        [*COMMAND, *SIZE],
        cwd=ROOT,
        # Many looks: none may count in the shares by which HAProxy sends turns.
        env=environment(CONCH_TRITON__PROBE_INTERVAL_S="0.1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        conch = Conch(process)
        try:
            fleet = Fleet(conch)
            yield fleet
        finally:
            if process.poll() is None:
                conch.end()
    shutil.rmtree(ROOT / ".run" / f"fleet-{fleet.port}", ignore_errors=True)


async def test_a_conversation_stays_on_one_triton(fleet: Fleet) -> None:
    before = await fleet.figures("conch_generated_tokens_total")
    messages = [{"role": "user", "content": "Which Triton are you?"}]

    for _ in range(4):
        answer = await ask(fleet.port, CHAT, {**chat(SIMULATED, "", 8), "messages": messages})
        assert answer.error == ""
        messages += [
            {"role": "assistant", "content": answer.text},
            {"role": "user", "content": "And now?"},
        ]
    after = await fleet.figures("conch_generated_tokens_total")

    made = [later - earlier for earlier, later in zip(before, after, strict=True)]
    assert sum(made) == 4 * 8
    assert max(made) == 4 * 8


async def test_no_request_fails_while_parts_are_restarted(fleet: Fleet) -> None:
    before = {row.name: row.pid for row in await control.status(fleet.port)}
    is_over = asyncio.Event()
    traffic = asyncio.create_task(Clients(fleet.port, SIMULATED, 8).run_until(is_over, count=6))
    try:
        for part in ("triton1", "haproxy", "conch1"):
            await control.restart(fleet.port, part)
    finally:
        is_over.set()
    seen = await traffic
    after = {row.name: row.pid for row in await control.status(fleet.port)}

    assert [answer.error for answer in seen.failed] == []
    assert len(seen.answers) > 12
    # HAProxy's master stays the same process.
    assert {name for name in before if before[name] != after[name]} == {"triton1", "conch1"}


async def test_a_killed_triton_ends_its_own_streams_and_nothing_else(fleet: Fleet) -> None:
    long = [
        asyncio.create_task(ask(fleet.port, CHAT, chat(SIMULATED, f"Long {number}.", 150)))
        for number in range(NUM_LONG)
    ]
    async with asyncio.timeout(LIMIT_S):
        while sum(running := await fleet.figures("conch_running_sequences")) < NUM_LONG:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    os.kill((await fleet.part("triton1")).pid or 0, signal.SIGKILL)
    is_over = asyncio.Event()
    new = asyncio.create_task(Clients(fleet.port, SIMULATED, 8).run_until(is_over, count=4))
    ended = await asyncio.gather(*long)
    is_over.set()

    errors = [answer.error for answer in ended if answer.error]
    assert all(error.startswith("event: ") for error in errors)
    assert len(errors) == running[0] > 0
    assert [answer.error for answer in (await new).failed] == []


def test_nothing_is_left_when_a_fleet_is_killed(fleet: Fleet) -> None:
    processes = fleet.process.processes()
    assert len(processes) > 6

    fleet.process.launcher.kill()

    until(lambda: all(map(is_gone, processes)), "everything has ended")
