"""Who may ask what: the one table of all routes, which a test holds against the URL map.

A route that is not in it is for `admin` alone. Without a key only what is public is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from frontend_api.domain.keys import Scope

Access: TypeAlias = Scope | Literal["public"]

# By blueprint, or by endpoint where the routes of a blueprint differ.
TABLE: Final[Mapping[str, Access]] = {
    "status.health": "public",
    "status.readiness": "public",
    "status.metrics": "metrics",
    "openapi": "public",
    "docs": "public",
    "webapp": "public",
    "completions": "chat",
    "models": "chat",
    "requests": "chat",
    "responses": "chat",
    "response_socket": "chat",
    "tokens": "chat",
    "usage": "chat",
    "original": "chat",
    "original_models": "chat",
    "original_socket": "chat",
    "original_sessions": "sessions",
    "conversations": "sessions",
    "conversation_items": "sessions",
    "conversation_branches": "sessions",
    "conversation_copies": "sessions",
    "conversation_search": "sessions",
    "admin_keys": "admin",
    "admin_audit": "admin",
    "admin_log_level": "admin",
    "admin_models": "admin",
    "admin_status": "admin",
    "admin_usage": "admin",
}


def access_to(endpoint: str) -> Access:
    """Return what a key must have for this endpoint."""
    blueprint = endpoint.partition(".")[0]
    return TABLE.get(endpoint) or TABLE.get(blueprint) or "admin"
