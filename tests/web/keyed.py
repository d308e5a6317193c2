"""An application that lets in only who has a key, and keys for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
from quart import Quart

from frontend_api.app import create_app
from frontend_api.settings import Settings
from tests.web.fakes import DEMO, FakeCatalogue, FakeGenerator, words
from tests.web.running import settings, wired

# Static ones, named for their scope; `all` has every scope, `small` one model, `off` is disabled.
KEYS: Mapping[str, str] = {
    name: f"static-key-of-{name}-0123456789"
    for name in ("chat", "sessions", "admin", "metrics", "all", "small", "other", "off")
}
_ALL = ["chat", "sessions", "admin", "metrics"]
_GIVEN: Mapping[str, Mapping[str, object]] = {
    "all": {"scopes": _ALL, "owner": "alice"},
    "small": {"scopes": _ALL, "models": ["tiny"]},
    "other": {"scopes": _ALL, "owner": "mallory"},
    "off": {"scopes": _ALL, "enabled": False},
}
TINY = FakeCatalogue(DEMO, type(DEMO)("tiny", created=DEMO.created, context_length=4096))


def with_keys(**sections: Mapping[str, object]) -> Settings:
    """Return settings with keys; a section given is laid over."""
    api_keys = [
        {"key": key, "name": name, **_GIVEN.get(name, {"scopes": [name]})}
        for name, key in KEYS.items()
    ]
    security = {"enable_auth": True, "api_keys": api_keys, **sections.pop("security", {})}
    return settings(security=security, **sections)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@asynccontextmanager
async def keyed_app(
    chosen: Settings | None = None, generator: FakeGenerator | None = None
) -> AsyncIterator[tuple[Quart, httpx.AsyncClient]]:
    """Run it in memory; hand it out with a client that has no key."""
    made = generator or FakeGenerator(words("Hi"))
    app = create_app(wired(made, TINY, chosen or with_keys()))
    transport = httpx.ASGITransport(cast(Any, app))
    async with (
        app.test_app(),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield app, client
