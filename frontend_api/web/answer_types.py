"""The JSON that clients receive, as strict types: for /openapi.json and for the tests.

Nothing is rendered through them (chunks are made from byte templates); the tests check
every answer against their schemas, in which no other field is allowed.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from frontend_api.domain.model import ModelState

StoreState = Annotated[
    Literal["ok", "unavailable"], Field(description="Of the database with the sessions.")
]


class Answer(BaseModel):
    """A JSON object of an answer: exact types, no other field."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ErrorFields(Answer):
    """What went wrong: `message` for people, `code` for programs, `param` the field to change."""

    message: str = Field(min_length=1)
    type: Literal["invalid_request_error", "rate_limit_error", "server_error"]
    param: str | None
    code: str | None
    n_prompt_tokens: int = Field(default=0, description="With `context_length_exceeded`.")
    n_ctx: int = Field(default=0, description="With `context_length_exceeded`.")


class Error(Answer):
    """Every failure, in OpenAI's form; inside a stream it comes as an event."""

    error: ErrorFields


class ModelFacts(Answer):
    """What OpenAI's object has no field for."""

    state: ModelState
    reason: str | None = Field(description="Why the model is not ready.")
    engine: str | None
    quantization: str | None
    context_length: int | None
    capabilities: list[str]
    tool_format: str | None
    reasoning_format: str | None
    alias_of: str | None = Field(description="The model that this is another name of.")
    base: str | None = Field(description="The model that this is an adapter of (LoRA).")
    max_sequences: int | None = Field(description="How many answers it makes at once.")
    load_seconds: float | None = Field(description="How long its last load took.")
    loading_seconds: float | None = Field(description="How long it has been loading.")
    loading_percent: int | None = Field(
        description="Of what its last load took; null when that is not known."
    )
    memory_bytes: int | None = Field(description="What its process holds.")


class Model(Answer):
    """A served model."""

    id: str
    object: Literal["model"]
    created: int = Field(description="Seconds since 1970.")
    owned_by: str
    x_conch: ModelFacts


class ModelList(Answer):
    """Every model that can be named in a request."""

    object: Literal["list"]
    data: list[Model]


class Health(Answer):
    """This process answers."""

    status: Literal["ok"]
    uptime: float = Field(ge=0, description="Seconds.")
    timestamp: str = Field(description="RFC 3339.")


class Readiness(Answer):
    """A request would be answered."""

    status: Literal["ready"]
    models_available: int = Field(ge=1)
    store: StoreState
    timestamp: str = Field(description="RFC 3339.")


class Unreadiness(Answer):
    """A request would not be answered, and why."""

    status: Literal["not_ready"]
    models_available: int = Field(ge=0)
    store: StoreState
    timestamp: str = Field(description="RFC 3339.")
    reason: str = Field(min_length=1)
