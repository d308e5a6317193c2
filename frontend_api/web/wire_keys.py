"""What /admin/keys takes."""

from __future__ import annotations

from typing import Annotated, Final, cast

from pydantic import AfterValidator, Field, StringConstraints

from frontend_api.domain.keys import (
    DEFAULT_SCOPES,
    MAX_LIMIT,
    MAX_NAME_CHARS,
    MAX_WEIGHT,
    OWNER,
    KeyLimits,
    Scope,
)
from frontend_api.service.keys import DEFAULT_OVERLAP_S, MAX_OVERLAP_S, KeyOrder, LimitChanges
from frontend_api.web.chatgpt import LAST_MOMENT
from frontend_api.web.query import Query
from frontend_api.web.validation import refused
from frontend_api.web.wire_base import Wire

_LIMITS: Final = set(KeyLimits.__dataclass_fields__)
_MAX_MODELS: Final = 100
_MODEL: Final = StringConstraints(min_length=1, max_length=200)
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)] | None


def _check_printable(value: str) -> str:
    """A name is written to terminals, one key on a line."""
    if not value.isprintable():
        raise refused("Invalid '{param}': expected printable characters.", "invalid_value")
    return value


class LimitsIn(Wire):
    """What a key may use; what is not given stays, null takes its own limit away."""

    requests_per_minute: Limit = Field(
        default=None, description="Generations in any sixty seconds; unless given, the server's."
    )
    tokens_per_minute: Limit = Field(
        default=None, description="Tokens of prompts and answers; unless given, the server's limit."
    )
    tokens_per_day: Limit = Field(
        default=None, description="The same for a day (UTC); unless given, the server's limit."
    )
    parallel_requests: Limit = Field(
        default=None, description="Generations at a time; unless given, the server's limit."
    )
    priority_weight: int = Field(
        default=1,
        ge=1,
        le=MAX_WEIGHT,
        description="Its part of a busy model, beside those of other keys.",
    )

    def to_changes(self) -> LimitChanges:
        """Return what is given."""
        return cast(LimitChanges, self.model_dump(include=_LIMITS & self.model_fields_set))


class KeyIn(LimitsIn):
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

    def to_order(self) -> KeyOrder:
        """Return what is asked for."""
        return KeyOrder(
            name=self.name,
            owner=self.owner or "",
            scopes=tuple(dict.fromkeys(self.scopes)),
            models=None if self.models is None else tuple(dict.fromkeys(self.models)),
            expires_at=self.expires_at,
            limits=KeyLimits(**self.to_changes()),
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
