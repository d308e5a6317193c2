"""Ends what a dead worker has left, and removes what is over.

A lease that is over may also mean that the store was away: then its worker renews it with the
next checkpoint. So what was over while the store answered, and still is a while later, is dead.
"""

from __future__ import annotations

import asyncio
import random
from typing import Final

import structlog

from frontend_api.domain.errors import StoreLost
from frontend_api.ports import Clock, SessionStore

# Of the interval, either way: so that workers that started together do not ask together.
_SPREAD: Final = 0.25
_log = structlog.get_logger()


class Reaper:
    """Every worker has one; whichever comes first does the work."""

    def __init__(
        self, store: SessionStore, clock: Clock, *, interval_s: float, grace_s: float
    ) -> None:
        """Look about every `interval_s`; `grace_s` is what a living worker needs to renew."""
        self._store = store
        self._clock = clock
        self._interval_s = interval_s
        self._grace_s = grace_s

    async def keep_going(self) -> None:
        """Look again and again, until cancelled; a store that is lost is asked the next time.

        At once, too: a worker may have been started because one has died.
        """
        while True:
            try:
                await self.look()
            except StoreLost:
                pass
            except Exception:
                _log.exception("reaper.fault")
            spread = random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 - no secret
            await asyncio.sleep(self._interval_s * spread)

    async def look(self) -> None:
        """Mark runs without a worker as interrupted, remove expired sessions; raises StoreLost."""
        await self._store.delete_expired(self._clock.now())
        await self.end_dead()

    async def end_dead(self) -> None:
        """Mark runs without a worker, having just seen the store answer; raises StoreLost."""
        now = self._clock.now()
        await asyncio.sleep(self._grace_s)
        if num_ended := await self._store.expire_leases(now):
            _log.warning("leases.expired", runs=num_ended)
