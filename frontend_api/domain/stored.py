"""What passes between the use cases and the store besides sessions and messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from frontend_api.domain.answer_pieces import Piece

# Some 2 ms of one write's work: what an outage has held up must not come at once when it is over.
MAX_PIECES_AT_ONCE: Final = 256


class StoreRefused(Exception):  # noqa: N818 - as the errors of requests, named for what went wrong
    """The database cannot be used as it is; the text is one sentence for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A running message's pieces from number `first` on, and how long its worker may be silent."""

    owner: str
    message_id: str
    worker: str
    first: int
    pieces: tuple[Piece, ...]
    lease_until: float

    def in_parts(self) -> Iterator[Checkpoint]:
        """Yield it as checkpoints of a bounded size, in order; one if it has no pieces."""
        for start in range(0, len(self.pieces) or 1, MAX_PIECES_AT_ONCE):
            pieces = self.pieces[start : start + MAX_PIECES_AT_ONCE]
            yield replace(self, first=self.first + start, pieces=pieces)


@dataclass(frozen=True, slots=True)
class RunState:
    """What a checkpoint found: how many pieces are stored now, and whether to stop."""

    num_pieces: int
    is_cancel_requested: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyClaim:
    """A request that must be done once: fingerprint is a hash of its method, path and body."""

    owner: str
    key: str
    fingerprint: str
    claimed_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it went over the wire."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """An earlier claim of the same key; `answer` is None while that request runs."""

    fingerprint: str
    claimed_at: float
    answer: KeptAnswer | None
