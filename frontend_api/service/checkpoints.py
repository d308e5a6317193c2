"""Saves what runs, about once a second, off the way of the tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from frontend_api.domain.errors import RequestCancelled, StoreLost
from frontend_api.domain.stored import MAX_PIECES_AT_ONCE
from frontend_api.ports import Clock, SessionStore
from frontend_api.service.pending_writes import PendingWrites
from frontend_api.service.response_run import ResponseRun
from frontend_api.settings import StoreSettings

# Enough to keep a database busy, few enough to leave room for requests.
_MAX_AT_ONCE: Final = 8
_log = structlog.get_logger()


class Checkpoints:
    """One task for all runs of a worker: new pieces, leases, cancels of other workers."""

    def __init__(
        self,
        store: SessionStore,
        writes: PendingWrites,
        runs: Callable[[], Sequence[ResponseRun]],
        *,
        clock: Clock,
        settings: StoreSettings,
    ) -> None:
        """Look after what `runs` returns, each time anew."""
        self._store = store
        self._writes = writes
        self._runs = runs
        self._clock = clock
        self._settings = settings

    @property
    def lease_until(self) -> float:
        """Until when the others let a run of this worker alone that is saved now."""
        return self._clock.now() + self._settings.lease_s

    async def keep_going(self) -> None:
        """Save all, again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.checkpoint_interval_s)
            await self.save_all()

    async def save_all(self) -> None:
        """Save what waits and what runs; gives up, until the next time, when the store is lost."""
        if not await self._writes.flush():
            return
        waiting = list(self._runs())
        async with asyncio.TaskGroup() as group:
            for _ in range(min(_MAX_AT_ONCE, len(waiting))):
                group.create_task(self._save_some(waiting))

    async def _save_some(self, waiting: list[ResponseRun]) -> None:
        while waiting:
            run = waiting.pop()
            try:
                await self._save(run)
            except (StoreLost, TimeoutError):
                waiting.clear()
            except Exception:
                # A fault with one run must not cost the others their leases.
                _log.exception("checkpoint.fault", response_id=run.log.message.id)

    async def _save(self, run: ResponseRun) -> None:
        has_more = True
        while has_more and not run.log.is_ended and not run.is_discarded:
            has_more = await self._save_part(run)

    async def _save_part(self, run: ResponseRun) -> bool:
        """Save what is new, up to the size of a checkpoint; whether more was waiting."""
        part = run.unsaved(self.lease_until, MAX_PIECES_AT_ONCE)
        async with asyncio.timeout(self._settings.operation_timeout_s):
            state = await self._store.checkpoint(part)
        if state is None:
            run.discard()
            return False
        run.num_saved = min(state.num_pieces, len(run.log.pieces))
        if state.is_cancel_requested:
            run.stop(RequestCancelled("The response was cancelled."))
        return len(part.pieces) == MAX_PIECES_AT_ONCE
