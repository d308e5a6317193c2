"""How often an address, or a key, may ask at all: the first look at a request, before any database.

How it works: quart-rate-limiter counts, in this worker's memory. It knows neither WebSockets nor
addresses that lead nowhere, and gives every route a count of its own; so it is asked here for all
of them, under one name. Nothing is awaited between its look and its count, so none slips through.
It is coarse: with several workers, each counts for itself. What is exact are the budgets of keys.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, cast

from quart import Quart, has_websocket_context, request, websocket
from quart_rate_limiter import RateLimit, RateLimiter, RateLimitExceeded
from quart_rate_limiter.store import RateLimiterStoreABC

from frontend_api.domain.errors import TooManyRequests
from frontend_api.service.callers import current_caller
from frontend_api.settings import Settings
from frontend_api.telemetry import Telemetry
from frontend_api.web.addresses import client_address, household, networks
from frontend_api.web.scope import Scope

MAX_COUNTED: Final = 10_000
_ONE_NAME: Final = "all"
_MINUTE: Final = timedelta(minutes=1)


def install_address_limit(app: Quart, settings: Settings, telemetry: Telemetry) -> None:
    """Limit the requests of an address; goes before the guard, which asks the database for keys."""
    trusted = networks(settings.security.trusted_proxies)

    def address() -> str:
        asked = websocket if has_websocket_context() else request
        return household(client_address(cast(Scope, asked.scope), trusted))

    if per_minute := settings.limits.requests_per_minute_per_address:
        edge = _Edge("address", per_minute, address, telemetry)
        app.before_request(edge.meet)
        app.before_websocket(edge.meet)


def install_key_limit(app: Quart, settings: Settings, telemetry: Telemetry) -> None:
    """Limit the requests of a key, of whatever kind; goes after the guard, which knows the key."""

    def key() -> str | None:
        return current_caller().key_id

    if per_minute := settings.limits.requests_per_minute_per_key:
        app.before_request(_Edge("key", per_minute, key, telemetry).meet)


class _Edge(RateLimiter):
    """One count for each of those that are told apart; None is not counted."""

    def __init__(
        self, name: str, per_minute: int, counted: Callable[[], str | None], telemetry: Telemetry
    ) -> None:
        async def counted_name() -> str:
            return counted() or ""

        limit = RateLimit(per_minute, _MINUTE)
        super().__init__(key_function=counted_name, store=BoundedStore(), default_limits=[limit])
        self._name = name
        self._limits = [limit]
        self._counted = counted
        self._telemetry = telemetry

    async def meet(self) -> None:
        """Count a request; raises TooManyRequests."""
        if self._counted() is None:
            return
        try:
            await self._raise_on_rejection(_ONE_NAME, self._limits)
        except RateLimitExceeded as exc:
            self._telemetry.limit_refused(self._name)
            wait_s = cast(int, exc.retry_after)
            raise TooManyRequests(
                f"Too many requests. Please try again in {wait_s}s.", retry_after_s=wait_s
            ) from exc
        await self._update_limits(_ONE_NAME, self._limits)
        self._telemetry.limit_passed()


class BoundedStore(RateLimiterStoreABC):
    """A store that forgets who was seen the longest ago, rather than to grow for ever.

    The library's own keeps everybody: a million addresses would be a hundred megabytes.
    """

    def __init__(self, max_counted: int = MAX_COUNTED) -> None:
        """Keep at most so many."""
        self._max_counted = max_counted
        self._free_at: OrderedDict[str, datetime] = OrderedDict()

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._free_at)

    async def before_serving(self) -> None:
        """Open nothing."""

    async def after_serving(self) -> None:
        """Close nothing."""

    async def get(self, key: str, default: datetime) -> datetime:
        """Return when the key has its whole limit again."""
        return self._free_at.get(key, default)

    async def set(self, key: str, tat: datetime) -> None:
        """Note when the key has its whole limit again."""
        self._free_at.pop(key, None)
        self._free_at[key] = tat
        while len(self._free_at) > self._max_counted:
            self._free_at.popitem(last=False)
