"""A program that is kept running: started again, after a growing pause, whenever it ends."""

import asyncio
from collections.abc import Awaitable, Callable

from scripts.launcher.child import Child
from scripts.launcher.errors import LaunchError
from scripts.launcher.service_log import ServiceLog

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STABLE_AFTER_S = 60.0
MAX_FIRST_STARTS = 3
# Another program took a port between our choice and the start: worth another try.
_CLASH = "already in use"


class Pauses:
    """How long to wait before each restart: doubling, and short again after a stable minute."""

    def __init__(self) -> None:
        self._next_s = FIRST_PAUSE_S

    def after_run_of(self, duration_s: float) -> float:
        """Return the pause, in seconds, after a run that lasted so long."""
        if duration_s >= STABLE_AFTER_S:
            self._next_s = FIRST_PAUSE_S
        pause_s = self._next_s
        self._next_s = min(2 * pause_s, LONGEST_PAUSE_S)
        return pause_s


class Service:
    """One supervised program. start: starts it; grace_s: how long it may take to end."""

    def __init__(
        self,
        name: str,
        start: Callable[[], Awaitable[Child]],
        log: ServiceLog,
        say: Callable[[str], None],
        *,
        grace_s: float,
    ) -> None:
        self._grace_s = grace_s
        self._name = name
        self._start = start
        self._log = log
        self._say = say
        self._child: Child | None = None
        self._was_ready = False
        self._is_replaced = False

    @property
    def name(self) -> str:
        """What its user calls it."""
        return self._name

    @property
    def pid(self) -> int | None:
        """The process that runs now, if any."""
        return None if self._child is None else self._child.pid

    def set_ready(self) -> None:
        """From now on an end is followed by a restart; before, it means that we cannot start."""
        self._was_ready = True

    async def run(self) -> None:
        """Keep the program running until cancelled; `stop` then ends it.

        Raises LaunchError when it ends before it was ever ready.
        """
        loop = asyncio.get_running_loop()
        pauses = Pauses()
        num_starts = 0
        while True:
            started_at = loop.time()
            num_starts += 1
            self._child = await self._start()
            code = await self.accompany(self._child)
            self._child = None
            if self._is_replaced:
                self._is_replaced = False
                continue
            if not self._was_ready:
                self._give_up_unless_clash(code, num_starts)
                continue
            pause_s = pauses.after_run_of(loop.time() - started_at)
            self._say(f"{self._name} has ended ({_reason(code)}); starting it in {pause_s:g} s.")
            await asyncio.sleep(pause_s)

    async def accompany(self, child: Child) -> int:
        """Return the exit code of this run of the program once it is over."""
        return await child.wait()

    async def stop(self) -> None:
        """End the program, by force when its time is up; cancel `run` before."""
        if self._child is not None:
            await self._child.stop(self._grace_s)

    async def restart(self) -> None:
        """End the program as `stop` does; `run` then starts it again at once."""
        if self._child is not None:
            self._is_replaced = True
            await self._child.stop(self._grace_s)

    def kill(self) -> None:
        """End the program now."""
        if self._child is not None:
            self._child.kill()

    def _give_up_unless_clash(self, code: int, num_starts: int) -> None:
        tail = self._log.tail()
        if _CLASH in tail and num_starts < MAX_FIRST_STARTS:
            return
        raise LaunchError(
            f"{self._name} did not start ({_reason(code)}). The end of {self._log.path}:\n{tail}",
            exit_code=2 if code == 2 else 1,  # noqa: PLR2004 (the API's word for wrong settings)
        )


def _reason(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
