"""The audit: admin calls and refusals, written down without keeping anybody waiting.

How it works: what happens is noted in memory, and written once a second. Equal things within that
second are one entry with their number, so that a flood of them is a few entries; beyond some
thousand different ones, the rest are told apart by what happened only. While the store is away
they wait; what there is no room for is counted in the same way.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

import structlog

from frontend_api.domain.audit import AuditEntry, AuditFilter, AuditPage
from frontend_api.domain.errors import ContentRefused, LimitReached, ServiceError, StoreLost
from frontend_api.domain.keys import without_keys
from frontend_api.ports import AuditStore, Clock
from frontend_api.service.admission import Work
from frontend_api.service.callers import current_caller

REFUSED: Final = "request.refused"
DONE: Final = "done"
MANY: Final = "many"
MAX_WAITING: Final = 2_000
_WRITE_EVERY_S: Final = 1.0
_FORGET_EVERY_S: Final = 3600.0
_DAY_S: Final = 86_400
_MAX_TEXT_CHARS: Final = 200
_HIDDEN: Final = "***"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What equal entries have in common; see AuditEntry."""

    actor: str
    action: str
    outcome: str
    subject: str = ""
    address: str = ""


class Audit:
    """Notes what happens; also a Gate, which notes whom the others refuse."""

    def __init__(
        self, store: AuditStore, clock: Clock, *, days: int, hidden: Sequence[str] = ()
    ) -> None:
        """Use these; days: how long entries are kept, 0 for ever.

        hidden: what must not be in them, beside what looks like a key.
        """
        self._hidden = hidden
        self._store = store
        self._clock = clock
        self._days = days
        self._waiting: dict[Happening, AuditEntry] = {}

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Write what is noted, and remove what is old, while the block runs."""
        loops = [asyncio.create_task(self._keep_writing())]
        if self._days:
            loops.append(asyncio.create_task(self._keep_forgetting()))
        try:
            yield
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.wait(loops)
            await self.write()

    def note(self, happened: Happening, request_id: str = "") -> None:
        """Write this down soon; never waits, never fails."""
        happened = replace(happened, subject=self._clean(happened.subject))
        if happened not in self._waiting and len(self._waiting) >= MAX_WAITING:
            happened = replace(happened, actor=MANY, subject=MANY, address=MANY)
        self._add(happened, self._new(happened, request_id))

    @asynccontextmanager
    async def entered(self, work: Work) -> AsyncGenerator[None, None]:
        """Note a refusal by the gates behind this one, or by the rules."""
        try:
            yield
        except BaseException as failure:
            for error in _leaves(failure):
                if isinstance(error, LimitReached | ContentRefused) and not work.is_own:
                    self._refused(error, work)
            raise

    async def accepted(self, work: Work) -> None:
        """Let it go on."""

    def answer_refused(self, rule: str) -> None:
        """Note that a rule has ended an answer."""
        caller = current_caller()
        actor = caller.key_id or caller.owner
        outcome = ContentRefused.default_code or ""
        self.note(Happening(actor=actor, action="answer.refused", outcome=outcome, subject=rule))

    async def page(self, wanted: AuditFilter, *, after: str | None, limit: int) -> AuditPage:
        """Return entries, the newest first, with what has just happened; raises StoreLost."""
        await self.write()
        return await self._store.entries(wanted, after=after, limit=limit)

    async def write(self) -> None:
        """Write what is noted; while the store is away it waits."""
        entries, self._waiting = self._waiting, {}
        if not entries:
            return
        try:
            await self._store.add_entries(list(entries.values()))
        except BaseException as error:
            # Meanwhile there may be new ones: together they are no more than may wait.
            for happened, entry in entries.items():
                self._add(happened, entry)
            if not isinstance(error, StoreLost):
                raise

    def _refused(self, error: ServiceError, work: Work) -> None:
        caller = work.caller
        happened = Happening(
            actor=caller.key_id or caller.owner,
            action=REFUSED,
            outcome=error.code or "",
            subject=work.model.name,
        )
        self.note(happened, work.request_id)

    def _new(self, happened: Happening, request_id: str) -> AuditEntry:
        return AuditEntry(
            id=f"audit_{secrets.token_hex(12)}",
            at=self._clock.now(),
            actor=happened.actor,
            action=happened.action,
            subject=happened.subject,
            outcome=happened.outcome,
            request_id=self._clean(request_id),
            address=happened.address,
        )

    def _add(self, happened: Happening, entry: AuditEntry) -> None:
        known = self._waiting.get(happened)
        if known is not None:
            entry = replace(known, count=known.count + entry.count)
        self._waiting[happened] = entry

    def _clean(self, text: str) -> str:
        """Return a text that a client may have made up, cut short, with no key in it."""
        for secret in self._hidden:
            text = text.replace(secret, _HIDDEN)
        return without_keys(text)[:_MAX_TEXT_CHARS]

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(_WRITE_EVERY_S)
            try:
                await self.write()
            except Exception:
                _log.exception("audit.fault")

    async def _keep_forgetting(self) -> None:
        while True:
            try:
                await self._store.delete_entries(self._clock.now() - self._days * _DAY_S)
            except StoreLost:
                _log.info("audit.not_forgotten")
            except Exception:
                _log.exception("audit.fault")
            await asyncio.sleep(_FORGET_EVERY_S)


def _leaves(failure: BaseException) -> Iterator[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        for each in failure.exceptions:
            yield from _leaves(each)
    else:
        yield failure
