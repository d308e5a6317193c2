"""The JSON that the original service's dialect answers with, as strict types."""

from __future__ import annotations

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
