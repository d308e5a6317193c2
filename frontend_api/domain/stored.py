"""What passes between the use cases and the store besides sessions and messages."""

from __future__ import annotations

from dataclasses import dataclass

from frontend_api.domain.answer_pieces import Piece


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
