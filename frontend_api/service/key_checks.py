"""Whether a presented key lets its sender in.

How it works: a record that was read is believed for a few seconds, so a change takes that long
until every worker heeds it, and the database is asked little. A secret that does not fit is held
against the record of this moment before it is refused, so a rotated key works everywhere at once.
Ids that nobody has are kept apart, and both in bounded numbers: a flood of made-up keys neither
fills the memory nor pushes out those that are in use. When the database does not answer, who was
let in before is, for a while longer.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from frontend_api.domain.errors import StoreLost, WrongKey
from frontend_api.domain.keys import ApiKey, hash_of, masked, parsed
from frontend_api.ports import Clock, KeyStore

# With the time that a request takes to get here, changes are heeded within 5 s.
BELIEVED_S: Final = 4.0
# A replica set elects another primary in about 12 s.
BELIEVED_WITHOUT_STORE_S: Final = 60.0
MAX_KNOWN: Final = 10_000
MAX_UNKNOWN: Final = 2_000
# Requests with one key wait for one reading of it; those of other keys rarely do.
_NUM_LOCKS: Final = 64
# Compared in place of a record that is not there, so that its absence takes no less time.
_NOBODY: Final = ApiKey(
    id="", name="", owner="", created_at=0, updated_at=0, secret_hash=hash_of(""), is_enabled=False
)


@dataclass(slots=True)
class _Seen:
    """A record, or that there is none; both times are of the monotonic clock."""

    key: ApiKey | None
    read_at: float
    asked_at: float


class KeyChecks:
    """Lets in who has a key, of the database or of the settings."""

    def __init__(self, store: KeyStore, clock: Clock, static: Sequence[ApiKey]) -> None:
        """Use these; the hash of a static key is that of the whole key."""
        self._store = store
        self._clock = clock
        self._static = static
        self._known: OrderedDict[str, _Seen] = OrderedDict()
        self._unknown: OrderedDict[str, _Seen] = OrderedDict()
        self._locks = [asyncio.Lock() for _ in range(_NUM_LOCKS)]

    async def admit(self, presented: str) -> ApiKey:
        """Return the record of a key that may be used now.

        Raises WrongKey, in the same words whatever is wrong, and StoreLost.
        """
        now = self._clock.now()
        key = self._static_key(presented, now) or await self._stored_key(presented, now)
        if key is None:
            raise WrongKey(masked(presented))
        return key

    def forget(self, key_id: str) -> None:
        """Read this key again: it was changed by this worker."""
        self._known.pop(key_id, None)
        self._unknown.pop(key_id, None)

    @property
    def num_kept(self) -> int:
        """How many records, or absences of one, are in memory."""
        return len(self._known) + len(self._unknown)

    def _static_key(self, presented: str, now: float) -> ApiKey | None:
        presented_hash = hash_of(presented)
        found = None
        # All of them: how long it takes tells nothing.
        for key in self._static:
            if compare_digest(key.secret_hash, presented_hash) and key.state(now) == "active":
                found = key
        return found

    async def _stored_key(self, presented: str, now: float) -> ApiKey | None:
        parts = parsed(presented)
        if parts is None:
            return None
        secret_hash, came_at = hash_of(parts.secret), self._clock.monotonic()
        key = await self._read(parts.id, came_at - BELIEVED_S)
        is_open = (key or _NOBODY).is_opened_by(secret_hash, now)
        if not is_open and key is not None and key.state(now) == "active":
            # Another worker may just have rotated it: a good key is never refused.
            key = await self._read(parts.id, came_at)
            is_open = (key or _NOBODY).is_opened_by(secret_hash, now)
        return key if is_open else None

    async def _read(self, key_id: str, since: float) -> ApiKey | None:
        """Return the record as it was at that time of the monotonic clock, or later."""
        seen = self._seen(key_id, since)
        if seen is None:
            async with self._locks[hash(key_id) % _NUM_LOCKS]:
                seen = self._seen(key_id, since) or await self._ask(key_id)
        return seen.key

    def _seen(self, key_id: str, since: float) -> _Seen | None:
        seen = self._known.get(key_id) or self._unknown.get(key_id)
        return seen if seen is not None and seen.asked_at >= since else None

    async def _ask(self, key_id: str) -> _Seen:
        # Before the reading: what is changed during it must not be believed any longer.
        asked_at = self._clock.monotonic()
        try:
            key = await self._store.key(key_id)
        except StoreLost:
            last = self._known.get(key_id)
            if last is None or asked_at - last.read_at > BELIEVED_WITHOUT_STORE_S:
                raise
            last.asked_at = asked_at
            return last
        self.forget(key_id)
        seen = _Seen(key, asked_at, asked_at)
        if key is None:
            _keep(self._unknown, key_id, seen, MAX_UNKNOWN)
        else:
            _keep(self._known, key_id, seen, MAX_KNOWN)
        return seen


def _keep(kept: OrderedDict[str, _Seen], key_id: str, seen: _Seen, limit: int) -> None:
    kept[key_id] = seen
    while len(kept) > limit:
        kept.popitem(last=False)
