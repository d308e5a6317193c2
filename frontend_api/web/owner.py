"""Whose sessions a connection may see.

Without keys everybody is one and the same owner. The guard puts the owner of a key into the ASGI
scope, of HTTP and of WebSockets alike, before a route sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from frontend_api.service.callers import DEFAULT_OWNER

KEY_ID_KEY: Final = "conch.key_id"
OWNER_KEY: Final = "conch.owner"


def owner_of(scope: Mapping[str, Any]) -> str:
    """Return the owner behind a connection's ASGI scope."""
    owner = scope.get(OWNER_KEY, DEFAULT_OWNER)
    if not isinstance(owner, str) or not owner:
        raise TypeError("the owner in the scope is no name")
    return owner
