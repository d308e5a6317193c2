"""The answers of /admin/keys as strict types."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from pydantic import Field

from frontend_api.domain.keys import ApiKey, KeyState, Scope
from frontend_api.service.keys import STATIC_PREFIX
from frontend_api.web.answer_types import Answer


class KeyLimitsAnswer(Answer):
    """What the key may use; null: the limit of the server, if it has one."""

    requests_per_minute: int | None
    tokens_per_minute: int | None
    tokens_per_day: int | None
    parallel_requests: int | None
    priority_weight: int


class ApiKeyAnswer(Answer):
    """A key, but for its secret."""

    id: str
    object: Literal["admin.api_key"]
    name: str
    owner: str = Field(description="Whose sessions it sees.")
    scopes: list[Scope]
    models: list[str] | None = Field(description="Those it may use; null: all.")
    limits: KeyLimitsAnswer
    state: KeyState
    source: Literal["database", "configuration"]
    created_at: int | None = Field(description="Seconds since 1970.")
    updated_at: int | None = Field(description="Of its making, last rotation or revocation.")
    expires_at: int | None
    old_key_valid_until: int | None = Field(description="The end of the overlap of a rotation.")


class NewApiKey(ApiKeyAnswer):
    """A key that was just made, or rotated: its text is shown this once."""

    key: str


class ApiKeyList(Answer):
    """Some keys, the oldest first."""

    object: Literal["list"]
    data: list[ApiKeyAnswer]
    first_id: str | None
    last_id: str | None
    has_more: bool


def key_json(key: ApiKey, now: float) -> dict[str, object]:
    """Return what may be told of a key."""
    is_static = key.id.startswith(STATIC_PREFIX)
    old = key.old_secret
    return {
        "id": key.id,
        "object": "admin.api_key",
        "name": key.name,
        "owner": key.owner,
        "scopes": list(key.scopes),
        "models": None if key.models is None else list(key.models),
        "limits": asdict(key.limits),
        "state": key.state(now),
        "source": "configuration" if is_static else "database",
        "created_at": None if is_static else int(key.created_at),
        "updated_at": None if is_static else int(key.updated_at),
        "expires_at": None if key.expires_at is None else int(key.expires_at),
        "old_key_valid_until": None if old is None else int(old.valid_until),
    }
