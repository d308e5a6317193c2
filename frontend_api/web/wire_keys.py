"""What /admin/keys takes."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from frontend_api.domain.keys import DEFAULT_SCOPES, MAX_NAME_CHARS, OWNER, Scope
from frontend_api.service.keys import DEFAULT_OVERLAP_S, MAX_OVERLAP_S, KeyOrder
from frontend_api.web.chatgpt import LAST_MOMENT
from frontend_api.web.query import Query
from frontend_api.web.validation import refused
from frontend_api.web.wire_base import Unsupported, Wire

_MAX_MODELS: Final = 100
_MODEL: Final = StringConstraints(min_length=1, max_length=200)


def _check_printable(value: str) -> str:
    """A name is written to terminals, one key on a line."""
    if not value.isprintable():
        raise refused("Invalid '{param}': expected printable characters.", "invalid_value")
    return value


class KeyIn(Wire):
    """A key to be made."""

    name: Annotated[str, AfterValidator(_check_printable)] = Field(
        min_length=1, max_length=MAX_NAME_CHARS, description="What people call it; shown in lists."
    )
    owner: str | None = Field(
        default=None,
        pattern=f"^{OWNER.pattern}$",
        description="Keys of one owner see the same sessions; unless given, the key has its own.",
    )
    scopes: list[Scope] = Field(default=[*DEFAULT_SCOPES], min_length=1, max_length=4)
    models: list[Annotated[str, _MODEL]] | None = Field(
        default=None,
        min_length=1,
        max_length=_MAX_MODELS,
        description="The models it may use; unless given, all.",
    )
    expires_at: int | None = Field(
        default=None,
        ge=0,
        le=LAST_MOMENT,
        description="Seconds since 1970; unless given, never.",
    )
    # Limits are not enforced yet: a key that seems to have one would be worse than none.
    requests_per_minute: Unsupported = None
    tokens_per_minute: Unsupported = None
    tokens_per_day: Unsupported = None
    parallel_requests: Unsupported = None
    priority_weight: Unsupported = None

    def to_order(self) -> KeyOrder:
        """Return what is asked for."""
        return KeyOrder(
            name=self.name,
            owner=self.owner or "",
            scopes=tuple(dict.fromkeys(self.scopes)),
            models=None if self.models is None else tuple(dict.fromkeys(self.models)),
            expires_at=self.expires_at,
        )


class KeysQuery(Query):
    """Which keys are listed."""

    after: str | None = Field(default=None, description="The id of the last key of a page.")
    limit: int = Field(default=20, ge=1, le=100)


class RotateQuery(Query):
    """How a key is rotated."""

    overlap_seconds: int = Field(
        default=DEFAULT_OVERLAP_S,
        ge=0,
        le=MAX_OVERLAP_S,
        description="How long the key until now stays good beside the new one.",
    )
