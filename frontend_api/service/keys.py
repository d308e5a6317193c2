"""The use cases of who hands out keys: make, list, describe, limit, rotate and revoke them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypedDict

from frontend_api.domain.errors import BadRequest, Conflict, NotFound
from frontend_api.domain.keys import (
    DEFAULT_SCOPES,
    OWNER,
    ApiKey,
    KeyLimits,
    KeyPage,
    Scope,
    hash_of,
    new_id,
    new_secret,
    written,
)
from frontend_api.ports import Clock, KeyStore
from frontend_api.service.key_checks import KeyChecks
from frontend_api.settings import ApiKeySettings, LimitSettings

STATIC_PREFIX: Final = "config:"
DEFAULT_OVERLAP_S: Final = 86_400
MAX_OVERLAP_S: Final = 30 * 86_400
# Each round but the first means that somebody else changed the key in this moment.
_MAX_ROUNDS: Final = 5
_IN_SETTINGS: Final = "The key '{key_id}' is in the configuration of the server: change it there."


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOrder:
    """A key to be made. owner "": one of its own; models: None for all."""

    name: str
    owner: str = ""
    scopes: tuple[Scope, ...] = DEFAULT_SCOPES
    models: tuple[str, ...] | None = None
    expires_at: float | None = None
    limits: KeyLimits = field(default_factory=KeyLimits)


class LimitChanges(TypedDict, total=False):
    """Limits as they shall be; None: that of the server."""

    requests_per_minute: int | None
    tokens_per_minute: int | None
    tokens_per_day: int | None
    parallel_requests: int | None
    priority_weight: int


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as nobody will see it again."""

    record: ApiKey
    text: str

    def __repr__(self) -> str:
        """Leave out the secret."""
        return f"NewKey({self.record!r})"


class Keys:
    """All keys, those of the settings included."""

    def __init__(
        self, store: KeyStore, clock: Clock, static: Sequence[ApiKey], checks: KeyChecks
    ) -> None:
        """Use these; `checks` is told of every change."""
        self._store = store
        self._clock = clock
        self._static = {key.id: key for key in static}
        self._checks = checks

    def now(self) -> float:
        """Return the time that expiries are held against, in seconds since 1970."""
        return self._clock.now()

    async def create(self, order: KeyOrder) -> NewKey:
        """Make a key; raises BadRequest for an owner that none can have, or an expiry gone by."""
        now = self._clock.now()
        if order.expires_at is not None and order.expires_at <= now:
            raise BadRequest("Invalid 'expires_at': it has passed.", param="expires_at")
        key_id, secret = new_id(), new_secret()
        owner = order.owner or key_id
        if not OWNER.fullmatch(owner):
            raise BadRequest(
                "Invalid 'owner': expected 1 to 128 letters, digits or any of _ . @ : + -",
                param="owner",
            )
        key = ApiKey(
            id=key_id,
            name=order.name,
            owner=owner,
            created_at=now,
            updated_at=now,
            secret_hash=hash_of(secret),
            scopes=order.scopes,
            models=order.models,
            limits=order.limits,
            expires_at=order.expires_at,
        )
        await self._store.add_key(key)
        self._checks.forget(key_id)
        return NewKey(key, written(key_id, secret))

    async def page(self, after: str | None, limit: int) -> KeyPage:
        """Return keys, the oldest first; those of the settings are on the first page."""
        if after is not None and after not in self._static:
            return await self._store.keys(after=after, limit=limit)
        static = list(self._static.values())
        listed = 0 if after is None else list(self._static).index(after) + 1
        first = await self._store.keys(after=None, limit=limit)
        return KeyPage([*static[listed:], *first.keys], first.has_more)

    async def describe(self, key_id: str) -> ApiKey:
        """Return a key; raises NotFound."""
        key = self._static.get(key_id) or await self._store.key(key_id)
        if key is None:
            raise NotFound(f"No API key with id '{key_id}'.", code="not_found")
        return key

    async def rotate(self, key_id: str, overlap_s: float = DEFAULT_OVERLAP_S) -> NewKey:
        """Give it a new secret; the old one stays good for so long. Raises Conflict if revoked."""
        secret = new_secret()

        def rotated(key: ApiKey) -> ApiKey:
            if not key.is_enabled:
                raise Conflict("The key is revoked: make another one.")
            return key.rotated(hash_of(secret), self._clock.now(), overlap_s)

        return NewKey(await self._change(key_id, rotated), written(key_id, secret))

    async def limit(self, key_id: str, changes: LimitChanges) -> ApiKey:
        """Change its limits; those that are not among the changes stay."""

        def limited(key: ApiKey) -> ApiKey:
            return key.limited(replace(key.limits, **changes), self._clock.now())

        return await self._change(key_id, limited)

    async def revoke(self, key_id: str) -> ApiKey:
        """Let nobody in with it any more, for good; it stays in the list."""
        return await self._change(key_id, lambda key: key.revoked(self._clock.now()))

    async def _change(self, key_id: str, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        for _ in range(_MAX_ROUNDS):
            key = await self.describe(key_id)
            if key_id in self._static:
                raise Conflict(_IN_SETTINGS.format(key_id=key_id), code="key_in_configuration")
            changed = change(key)
            try:
                await self._store.save_key(changed)
            except Conflict:
                continue
            finally:
                self._checks.forget(key_id)
            return changed
        raise Conflict("The key is being changed by others: try again.")


def default_limits(settings: LimitSettings) -> KeyLimits:
    """Return what counts for a key that has no limit of its own."""
    return KeyLimits(
        requests_per_minute=settings.default_rate_limit_per_minute or None,
        tokens_per_minute=settings.default_tokens_per_minute or None,
        tokens_per_day=settings.default_tokens_per_day or None,
        parallel_requests=settings.default_parallel_requests or None,
    )


def static_keys(settings: Sequence[ApiKeySettings]) -> Sequence[ApiKey]:
    """Return the keys of the settings."""
    return [
        ApiKey(
            id=f"{STATIC_PREFIX}{each.name}",
            name=each.name,
            owner=each.owner or each.name,
            created_at=0,
            updated_at=0,
            # Of the whole: such a key may look like anything.
            secret_hash=hash_of(each.key.get_secret_value()),
            scopes=each.scopes,
            models=each.models or None,
            limits=KeyLimits(
                requests_per_minute=each.rate_limit_per_minute,
                tokens_per_minute=each.tokens_per_minute,
                tokens_per_day=each.tokens_per_day,
                parallel_requests=each.parallel_requests,
                priority_weight=each.priority_weight,
            ),
            is_enabled=each.enabled,
        )
        for each in settings
    ]
