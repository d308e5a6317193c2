"""The JSON that the original service's dialect answers with, as strict types."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from frontend_api.web.answer_types import Answer


class OriginalModels(Answer):
    """The names of all models."""

    models: list[str]


class OriginalModel(Answer):
    """One model."""

    id: str
    name: str
    context_length: int | None
    quantization: str | None


class OriginalCompletion(Answer):
    """A text's continuation."""

    text: str
    model: str
    tokens: int = Field(ge=0)


class OriginalTurn(Answer):
    """What somebody said."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str


class OriginalStatus(Answer):
    """It is done."""

    status: Literal["ok"]
