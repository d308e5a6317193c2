"""Restarts the parts of a fleet one after the other, so that no request fails.

A Triton or a frontend first gets no new requests (HAProxy drains it), ends what it has, is started
anew and must be ready before the next one's turn. HAProxy hands over to a new process of itself. A
MongoDB member that takes the writes lets another take them first.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from os import kill

from scripts.launcher import ports
from scripts.launcher.errors import LaunchError
from scripts.launcher.readiness import is_ready
from scripts.scaling.mongods import primary_of
from scripts.scaling.parts import Part, Parts

# The longest answers are given this long; whatever then still runs ends with an error event.
DRAIN_LIMIT_S = 120.0
START_LIMIT_S = 120.0
_POLL_PERIOD_S = 0.05
_KINDS = {"tritons": "triton", "frontends": "frontend", "mongods": "mongod", "haproxy": "haproxy"}


class Rolling:
    """Restarts parts; one at a time, whoever asks."""

    def __init__(self, parts: Parts, say: Callable[[str], None]) -> None:
        self._parts = parts
        self._say = say
        self._turn = asyncio.Lock()

    def chosen(self, what: str) -> Sequence[Part]:
        """Return the parts of that name. Raises LaunchError if there are none."""
        kind = _KINDS.get(what)
        found = [p for p in self._parts.all if what in ("all", p.name) or p.kind == kind]
        if not found:
            names = ", ".join([*_KINDS, "all", *(part.name for part in self._parts.all)])
            raise LaunchError(f"There is no part {what!r}; there is: {names}.", exit_code=2)
        return found

    async def restart(self, parts: Sequence[Part]) -> None:
        """Restart each, the next one only when this one serves again."""
        ways: dict[str, Callable[[Part], Awaitable[None]]] = {
            "triton": self._restart_behind_haproxy,
            "frontend": self._restart_behind_haproxy,
            "haproxy": self._reload,
            "mongod": self._restart_member,
        }
        async with self._turn:
            for part in parts:
                began = asyncio.get_running_loop().time()
                await ways[part.kind](part)
                took_s = asyncio.get_running_loop().time() - began
                self._say(f"{part.name} was restarted in {took_s:.1f} s.")

    async def _restart_behind_haproxy(self, part: Part) -> None:
        await self._set_state(part, "drain")
        try:
            if not await _within(DRAIN_LIMIT_S, lambda: self._is_idle(part)):
                self._say(f"{part.name} still has requests after {DRAIN_LIMIT_S:.0f} s; they end.")
            await part.service.restart()
            await _must(part.name, lambda: is_ready(ports.LOOPBACK, part.asked_at, part.ready_path))
        finally:
            await self._set_state(part, "ready")
        await _must(part.name, lambda: self._is_up(part))

    async def _set_state(self, part: Part, state: str) -> None:
        for server in part.servers:
            await self._parts.haproxy.set_state(server, state)

    async def _is_idle(self, part: Part) -> bool:
        servers = await self._parts.haproxy.servers()
        return all(servers[name].sessions == 0 for name in part.servers)

    async def _is_up(self, part: Part) -> bool:
        servers = await self._parts.haproxy.servers()
        return all(servers[name].status == "UP" for name in part.servers)

    async def _reload(self, part: Part) -> None:
        proxy = self._parts.haproxy
        before = await proxy.worker_pid()
        if part.service.pid is not None:
            kill(part.service.pid, signal.SIGUSR2)

        async def is_replaced() -> bool:
            try:
                now = await proxy.worker_pid()
            except LaunchError:
                return False  # the master starts itself anew, too
            return now not in ("", before)

        await _must(part.name, is_replaced)
        await _must(part.name, self._all_up)

    async def _all_up(self) -> bool:
        try:
            servers = await self._parts.haproxy.servers()
        except LaunchError:
            return False
        return bool(servers) and all(server.status == "UP" for server in servers.values())

    async def _restart_member(self, part: Part) -> None:
        members = self._parts.members
        member = next(each for each in members if each.address == part.address)
        if len(members) > 1 and await member.role() == "primary":
            await member.step_down()
        await part.service.restart()

        async def is_back() -> bool:
            return await member.role() != "away"

        await _must(part.name, is_back)
        try:
            async with asyncio.timeout(START_LIMIT_S):
                await primary_of(members)
        except TimeoutError as exc:
            raise LaunchError(f"MongoDB has no primary after the restart of {part.name}.") from exc


async def _must(name: str, is_so: Callable[[], Awaitable[bool]]) -> None:
    if not await _within(START_LIMIT_S, is_so):
        raise LaunchError(f"{name} does not serve {START_LIMIT_S:.0f} s after its restart.")


async def _within(limit_s: float, is_so: Callable[[], Awaitable[bool]]) -> bool:
    """Return whether it became so in time."""
    try:
        async with asyncio.timeout(limit_s):
            while not await is_so():  # noqa: ASYNC110 (other processes have no Event)
                await asyncio.sleep(_POLL_PERIOD_S)
    except TimeoutError:
        return False
    return True
