"""The audit: admin calls and refusals, written down without keeping anybody waiting.

How it works: what happens is noted in memory, and written once a second. Equal things that wait are
one entry with their number, so that a flood of them is a few entries; beyond some thousand
different ones, the rest are told apart by what happened only. Anybody can be refused as often as
he likes, so refusals fill the database no faster than one a second, after a first burst; the
others wait, together with their equals. While the store is away all of it waits.
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
from frontend_api.service.callers import Caller, current_caller

REFUSED: Final = "request.refused"
ANSWER_REFUSED: Final = "answer.refused"
DONE: Final = "done"
MANY: Final = "many"
MAX_WAITING: Final = 2_000
# Refusals that are written without delay, and how many more each second: 86,400 a day.
MAX_BURST: Final = 2_000
_REFUSALS_PER_WRITE: Final = 1
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
        self._done: dict[Happening, AuditEntry] = {}
        self._refused: dict[Happening, AuditEntry] = {}
        self._room = MAX_BURST

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
            await self.write(is_all=True)

    def note(self, happened: Happening, request_id: str = "") -> None:
        """Write this down soon; never waits, never fails."""
        happened = replace(happened, subject=self._clean(happened.subject))
        waiting = self._waiting(happened)
        if happened not in waiting and len(waiting) >= MAX_WAITING:
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
                    self._note_refusal(error, work)
            raise

    async def accepted(self, work: Work) -> None:
        """Let it go on."""

    def answer_refused(self, rule: str) -> None:
        """Note that a rule has ended an answer."""
        outcome = ContentRefused.default_code or ""
        self.note(_happening(current_caller(), ANSWER_REFUSED, outcome, rule))

    async def page(self, wanted: AuditFilter, *, after: str | None, limit: int) -> AuditPage:
        """Return entries, the newest first, with what has just happened; raises StoreLost."""
        await self.write(is_all=True)
        return await self._store.entries(wanted, after=after, limit=limit)

    async def write(self, *, is_all: bool = False) -> None:
        """Write what is noted, of refusals as many as there is room for unless `is_all`.

        While the store is away it waits.
        """
        refused = list(self._refused.items())
        room = len(refused) if is_all else self._room
        entries = self._done | dict(refused[:room])
        self._done, self._refused = {}, dict(refused[room:])
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
        else:
            self._room = max(0, self._room - min(room, len(refused)))

    def _waiting(self, happened: Happening) -> dict[Happening, AuditEntry]:
        return self._refused if happened.action in (REFUSED, ANSWER_REFUSED) else self._done

    def _note_refusal(self, error: ServiceError, work: Work) -> None:
        happened = _happening(work.caller, REFUSED, error.code or "", work.model.name)
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
        waiting = self._waiting(happened)
        known = waiting.get(happened)
        if known is not None:
            entry = replace(known, count=known.count + entry.count)
        waiting[happened] = entry

    def _clean(self, text: str) -> str:
        """Return a text that a client may have made up, cut short, with no key in it."""
        for secret in self._hidden:
            text = text.replace(secret, _HIDDEN)
        return without_keys(text)[:_MAX_TEXT_CHARS]

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(_WRITE_EVERY_S)
            self._room = min(MAX_BURST, self._room + _REFUSALS_PER_WRITE)
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


def _happening(caller: Caller, action: str, outcome: str, subject: str) -> Happening:
    return Happening(
        actor=caller.key_id or caller.address or caller.owner,
        action=action,
        outcome=outcome,
        subject=subject,
        address=caller.address,
    )


def _leaves(failure: BaseException) -> Iterator[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        for each in failure.exceptions:
            yield from _leaves(each)
    else:
        yield failure
