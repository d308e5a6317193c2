"""API keys: how they look, how one is checked, and what may be done with it.

How it works: a key is `ck_<id>_<secret>`. The id says which record to read and is no secret; of
the secret only its SHA-256 is kept. With 256 random bits there is nothing to guess, so a slow
hash would only slow us down. A rotated key has two valid secrets until the overlap is over.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Final, Literal, TypeAlias, get_args

Scope: TypeAlias = Literal["chat", "sessions", "admin", "metrics"]
KeyState: TypeAlias = Literal["active", "expired", "revoked"]

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
DEFAULT_SCOPES: Final[tuple[Scope, ...]] = ("chat", "sessions")
MAX_NAME_CHARS: Final = 64
# So large that it is none; both databases can add to it for ever.
MAX_LIMIT: Final = 10**12
MAX_WEIGHT: Final = 1000
# An owner parts what is stored, so nothing that could be mistaken for another one.
OWNER: Final = re.compile(r"[\w.@:+-]{1,128}", re.ASCII)

_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 32
_KEY: Final = re.compile(r"ck_([0-9a-f]{12})_([0-9a-f]{64})")
# Also one that was cut, or mistyped; an id alone is no secret.
_LOOKS_LIKE_KEY: Final = re.compile(r"(ck_[0-9a-f]{1,12})_[0-9A-Za-z_-]+")
_HIDDEN: Final = "***"
# So long is a text whose beginning gives nothing away.
_SHOWN_FROM_CHARS: Final = 16
_NUM_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as a client sent it, taken apart."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OldSecret:
    """The hash of the secret before the last rotation, good until then."""

    secret_hash: str = field(repr=False)
    valid_until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """What a key may use; None: as much as there is.

    priority_weight: its part of a busy model, beside those of other keys.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None
    parallel_requests: int | None = None
    priority_weight: int = 1

    @property
    def has_budget(self) -> bool:
        """Whether anything is counted for it."""
        others = (self.requests_per_minute, self.parallel_requests)
        return self.has_token_budget or any(limit is not None for limit in others)

    @property
    def has_token_budget(self) -> bool:
        """Whether its tokens are limited."""
        return self.tokens_per_minute is not None or self.tokens_per_day is not None

    def over(self, defaults: KeyLimits) -> KeyLimits:
        """Return these, with the defaults where there is none."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(defaults, **{name: own[name] for name in own if own[name] is not None})


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is kept of a key.

    owner: whose sessions it sees. models: those it may use; None: all. version: counts the
    changes, so that two changes at once are not mixed.
    """

    id: str
    name: str
    owner: str
    created_at: float
    updated_at: float
    secret_hash: str = field(repr=False)
    scopes: tuple[Scope, ...] = DEFAULT_SCOPES
    models: tuple[str, ...] | None = None
    limits: KeyLimits = KeyLimits()
    expires_at: float | None = None
    is_enabled: bool = True
    old_secret: OldSecret | None = None
    version: int = 0

    def state(self, now: float) -> KeyState:
        """Return whether it lets anybody in."""
        if not self.is_enabled:
            return "revoked"
        has_expired = self.expires_at is not None and self.expires_at <= now
        return "expired" if has_expired else "active"

    def is_opened_by(self, secret_hash: str, now: float) -> bool:
        """Return whether that secret may be used; takes as long for any wrong one."""
        is_current = hmac.compare_digest(self.secret_hash, secret_hash)
        is_old = self.old_secret is not None and hmac.compare_digest(
            self.old_secret.secret_hash, secret_hash
        )
        is_overlap = self.old_secret is not None and now < self.old_secret.valid_until
        return (is_current or (is_old and is_overlap)) and self.state(now) == "active"

    def rotated(self, secret_hash: str, now: float, overlap_s: float) -> ApiKey:
        """Return it with a new secret; the one until now stays good for so long."""
        old = OldSecret(self.secret_hash, now + overlap_s) if overlap_s > 0 else None
        return replace(
            self,
            secret_hash=secret_hash,
            old_secret=old,
            updated_at=now,
            version=self.version + 1,
        )

    def limited(self, limits: KeyLimits, now: float) -> ApiKey:
        """Return it with these limits."""
        return replace(self, limits=limits, updated_at=now, version=self.version + 1)

    def revoked(self, now: float) -> ApiKey:
        """Return it as it lets nobody in any more."""
        return replace(
            self, is_enabled=False, old_secret=None, updated_at=now, version=self.version + 1
        )


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Some keys, the oldest first."""

    keys: Sequence[ApiKey]
    has_more: bool


def new_id() -> str:
    """Return an id that no other key has."""
    return secrets.token_hex(_ID_BYTES)


def new_secret() -> str:
    """Return 256 random bits."""
    return secrets.token_hex(_SECRET_BYTES)


def written(key_id: str, secret: str) -> str:
    """Return the key as its user sends it."""
    return f"ck_{key_id}_{secret}"


def parsed(text: str) -> PresentedKey | None:
    """Return the parts of a key; None when it is not one of ours."""
    found = _KEY.fullmatch(text)
    return None if found is None else PresentedKey(found[1], found[2])


def hash_of(secret: str) -> str:
    """Return the SHA-256 of a secret, in hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def masked(text: str) -> str:
    """Return what of a presented key may be told: the same, whatever is wrong with it."""
    if _LOOKS_LIKE_KEY.fullmatch(text):
        return without_keys(text)
    shown = text[:_NUM_SHOWN] if len(text) >= _SHOWN_FROM_CHARS else ""
    return shown + _HIDDEN


def without_keys(text: str) -> str:
    """Return the text with the secret part of every key in it hidden."""
    return _LOOKS_LIKE_KEY.sub(rf"\1_{_HIDDEN}", text)
