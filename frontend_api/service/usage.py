"""How much is used, per day, key and model: counted here, and added up in the store.

It is a gate that lets everything in, and the last one: what the gates before it refuse is not
counted. What has gathered, also by what still runs, reaches the store once a second, and at the
end; so that is all that a killed worker takes with it. While the store is away it waits here, one
row for each day, key and model.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import structlog

from frontend_api.domain.budgets import UsageFilter, UsagePage, UsageRow
from frontend_api.domain.errors import StoreLost
from frontend_api.ports import Clock, UsageStore
from frontend_api.service.admission import Work

_FLUSH_EVERY_S: Final = 1.0
# So many keys and models cannot be busy while the store is away without something being wrong.
_MAX_ROWS: Final = 10_000
_Key = tuple[str, str, str]
_log = structlog.get_logger()


class UsageCount:
    """What this worker's generations have used."""

    def __init__(self, store: UsageStore, clock: Clock) -> None:
        """Use these; nothing is written before `open`."""
        self._store = store
        self._clock = clock
        self._rows: dict[_Key, UsageRow] = {}
        # Of what runs: what has been counted of it.
        self._counted: dict[Work, UsageRow] = {}
        self._writes: set[asyncio.Task[bool]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None, None]:
        """Write what gathers, while the block runs and after it."""
        writing = asyncio.create_task(self._keep_writing())
        try:
            yield
        finally:
            writing.cancel()
            await asyncio.wait([writing, *self._writes])
            await self.write()

    @asynccontextmanager
    async def entered(self, work: Work) -> AsyncGenerator[None, None]:
        """Count the work while it runs, and once it has ended, however it ends."""
        self._counted[work] = UsageRow(
            day=self.today(), key_id=_key_id(work), model=work.model.name
        )
        try:
            yield
        finally:
            self._count(work)
            del self._counted[work]

    async def accepted(self, work: Work) -> None:
        """Let it go on."""

    async def page(self, wanted: UsageFilter, limit: int) -> UsagePage:
        """Return what was used, with what runs here as far as it is; raises StoreLost."""
        await self.write()
        return await self._store.usage(wanted, limit)

    async def write(self) -> bool:
        """Add what has gathered to the store; False when it is away, and all of it waits."""
        for work in self._counted:
            self._count(work)
        if not self._rows:
            return True
        rows, self._rows = self._rows, {}
        # Its own task: when who asked leaves, nobody would know whether the store has the rows.
        writing = asyncio.create_task(self._write(rows))
        self._writes.add(writing)
        writing.add_done_callback(self._writes.discard)
        return await asyncio.shield(writing)

    def today(self) -> str:
        """Return the day that is counted for now, of UTC."""
        return datetime.fromtimestamp(self._clock.now(), UTC).date().isoformat()

    async def _write(self, rows: Mapping[_Key, UsageRow]) -> bool:
        try:
            await self._store.add_usage(list(rows.values()))
        except Exception as error:
            for row in rows.values():
                self._add(row)
            if not isinstance(error, StoreLost):
                raise
            return False
        return True

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_EVERY_S)
            try:
                await self.write()
            except Exception:
                _log.exception("usage.fault")

    def _count(self, work: Work) -> None:
        """Add what the work has used since this was last done."""
        before, usage = self._counted[work], work.usage
        now = self._counted[work] = replace(
            before,
            # Asked a second time, it is still the same request.
            num_requests=int(work.num_attempts == 1),
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
        )
        if now != before:
            self._add(_sum(now, before, sign=-1))

    def _add(self, row: UsageRow) -> None:
        key = (row.day, row.key_id, row.model)
        if key not in self._rows and len(self._rows) >= _MAX_ROWS:
            _log.error("usage.row_lost", key_id=row.key_id, model=row.model)
            return
        self._rows[key] = _sum(self._rows[key], row) if key in self._rows else row


def _key_id(work: Work) -> str:
    return (None if work.is_own else work.caller.key_id) or ""


def _sum(one: UsageRow, other: UsageRow, sign: int = 1) -> UsageRow:
    return replace(
        one,
        num_requests=one.num_requests + sign * other.num_requests,
        prompt_tokens=one.prompt_tokens + sign * other.prompt_tokens,
        cached_tokens=one.cached_tokens + sign * other.cached_tokens,
        completion_tokens=one.completion_tokens + sign * other.completion_tokens,
    )
