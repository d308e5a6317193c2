"""The audit: who did what to the server, and who was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that happened; never with a secret, a prompt or an answer.

    actor: a key's id, or the address of one without a key. action: `keys.create`, `key.refused`.
    subject: what it was done to, "" for nothing. outcome: `done`, or the code of the error.
    request_id: of the first of them, "" where nobody knows.
    count: how many equal ones this stands for.
    """

    id: str
    at: float
    actor: str
    action: str
    subject: str
    outcome: str
    request_id: str
    address: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted; None: any."""

    actor: str | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some entries, the newest first."""

    entries: Sequence[AuditEntry]
    has_more: bool
