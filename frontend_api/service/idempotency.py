"""The use case of doing a request once, however often its client sends it.

Whoever sends a key first claims it and runs; whoever sends it again gets the kept answer, waits
for it a while, or is told to come back. A claim ends with an answer worth repeating, or is
released. A stored response is worth more than its bytes: its id is kept as soon as it exists, and
whoever comes again reads the response itself, even if the first worker has died.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from frontend_api.domain.errors import Conflict, KeyReused, StoreLost
from frontend_api.domain.stored import IdempotencyClaim, IdempotencyRecord, KeptAnswer
from frontend_api.ports import Clock, IdempotencyStore

# The content type of what is no answer but the id of a stored response.
_RESPONSE_ID: Final = "application/x-conch-response-id"
_POLL_S: Final = 0.1
# An answer that is still on its way after its deadline and this long has lost its worker.
_GRACE_S: Final = 60.0
_RETRY_AFTER_S: Final = 2
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: how long an answer is kept, how long a request may run, how long to wait for it."""

    kept_s: float
    running_s: float
    waiting_s: float = 10.0


class Claim:
    """The right to answer the request of a key; `aclose` lets go of it unless it was answered.

    has_response: whether a stored response is the answer.
    """

    def __init__(self, store: IdempotencyStore, owner: str, key: str, claimed_at: float) -> None:
        """Hold a key that was claimed in this store, until somebody else claims it."""
        self._store = store
        self._held = (owner, key, claimed_at)
        self._is_settled = False
        self.has_response = False

    async def keep(self, answer: KeptAnswer) -> None:
        """Make this the answer of every request with the key; a store that fails loses it."""
        # Also when it fails: the request was done, and must not be done again.
        self._is_settled = True
        try:
            await self._store.keep(*self._held, answer)
        except StoreLost as lost:
            _log.warning("idempotency.not_kept", detail=lost.detail)
        except Exception:
            # The client gets the answer all the same: it is made.
            _log.exception("idempotency.not_kept")

    async def keep_response(self, response_id: str) -> None:
        """Let every request with the key read this stored response."""
        self.has_response = True
        await self.keep(KeptAnswer(200, _RESPONSE_ID, response_id.encode()))

    async def aclose(self) -> None:
        """Let the next request with the key run, if this one came to nothing."""
        if self._is_settled:
            return
        try:
            await self._store.release(*self._held)
        except StoreLost as lost:
            _log.warning("idempotency.not_released", detail=lost.detail)
        except Exception:
            _log.exception("idempotency.not_released")


class Idempotency:
    """The keys of all requests that are to be done once."""

    def __init__(self, store: IdempotencyStore, clock: Clock, patience: Patience) -> None:
        """Use these; nothing is opened."""
        self._store = store
        self._clock = clock
        self._patience = patience

    async def claim(self, owner: str, key: str, fingerprint: str) -> Claim | KeptAnswer:
        """Return the right to answer, or the answer that was given.

        fingerprint: tells one request from another. Raises KeyReused when the key was for another
        request, Conflict when the first is still running after a while, StoreLost.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience.waiting_s
        while isinstance(found := await self._claimed(owner, key, fingerprint), IdempotencyRecord):
            if found.fingerprint != fingerprint:
                raise KeyReused("This Idempotency-Key was used before, for another request.")
            if found.answer is not None:
                return found.answer
            if self._is_orphaned(found):
                await self._store.release(owner, key, found.claimed_at)
            elif loop.time() >= deadline:
                raise Conflict(
                    "The first request with this Idempotency-Key is still being answered.",
                    code="idempotency_key_in_use",
                    retry_after_s=_RETRY_AFTER_S,
                )
            else:
                await asyncio.sleep(_POLL_S)
        return found

    async def _claimed(self, owner: str, key: str, fingerprint: str) -> Claim | IdempotencyRecord:
        """Return the right to answer, or what is known of the key."""
        now = self._clock.now()
        known = await self._store.claim(
            IdempotencyClaim(
                owner=owner,
                key=key,
                fingerprint=fingerprint,
                claimed_at=now,
                expires_at=now + self._patience.kept_s,
            )
        )
        return Claim(self._store, owner, key, now) if known is None else known

    def _is_orphaned(self, found: IdempotencyRecord) -> bool:
        return self._clock.now() > found.claimed_at + self._patience.running_s + _GRACE_S


def response_id_of(answer: KeptAnswer) -> str | None:
    """Return the id of the stored response to read; None when the answer is here in full."""
    return answer.body.decode() if answer.content_type == _RESPONSE_ID else None
