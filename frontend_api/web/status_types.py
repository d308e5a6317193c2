"""The JSON of /admin/status, for /openapi.json and the tests."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from frontend_api.web.answer_types import Answer, Model, StoreState


class ModelWork(Answer):
    """What a model has in hand, of all workers of this server."""

    model: str
    running: int = Field(ge=0)
    waiting: int = Field(ge=0, description="In line.")


class StoreStatus(Answer):
    """The database."""

    state: StoreState
    writes_waiting: int = Field(ge=0, description="Kept in memory until it answers.")


class ServerStatusAnswer(Answer):
    """How the server is, all in one."""

    object: Literal["server.status"]
    timestamp: str = Field(description="RFC 3339.")
    uptime: float = Field(ge=0, description="Seconds, of the worker that answers.")
    ready: bool
    reason: str | None = Field(description="Why it is not ready.")
    models: list[Model]
    queue: list[ModelWork]
    store: StoreStatus
    keys: dict[str, int] | None = Field(
        description="How many there are in each state; null while the store does not answer, and"
        " when there are more than 10,000."
    )
    versions: dict[str, str]
