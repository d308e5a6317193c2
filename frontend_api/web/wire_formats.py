"""What an answer must look like: `response_format`, and the guides of local servers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import orjson
from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from frontend_api.domain.generation import Guide
from frontend_api.web.validation import MISSING, refused, wrong_type
from frontend_api.web.wire_base import JsonObject, Wire


class JsonSchemaIn(Wire):
    """A JSON schema; the answer keeps to it, `strict` or not."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
    description: str | None = None
    schema_: Annotated[JsonObject | None, Field(alias="schema")] = None
    strict: bool | None = None


class ResponseFormat(Wire):
    """Text, any JSON object, or what a JSON schema describes."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaIn | None = None

    @model_validator(mode="after")
    def _has_its_schema(self) -> Self:
        if self.type == "json_schema" and self.json_schema is None:
            raise refused(MISSING, "missing_required_parameter", at="json_schema")
        if self.type != "json_schema" and self.json_schema is not None:
            raise refused(
                "Invalid value for '{param}': it is only allowed with type 'json_schema'.",
                "invalid_value",
                at="json_schema",
            )
        return self

    def guide(self) -> Guide | None:
        """Return what the model is held to; None for text."""
        if self.type == "text":
            return None
        schema = None if self.json_schema is None else self.json_schema.schema_
        return Guide("json") if schema is None else json_guide(schema)


def json_guide(schema: dict[str, object] | str) -> Guide:
    """Return the guide of a JSON schema, given as JSON or as its text."""
    text = schema if isinstance(schema, str) else orjson.dumps(schema).decode()
    return Guide("json_schema", text)


def _check_schema(value: object) -> object:
    if not isinstance(value, str | dict):
        raise wrong_type("a string or object")
    return value


def _schema_form(value: object) -> str:
    return "<text>" if isinstance(value, str) else "<object>"


GuideText = Annotated[str, Field(min_length=1, max_length=65_536)]
GuideSchema = Annotated[
    Annotated[GuideText, Tag("<text>")] | Annotated[JsonObject, Tag("<object>")],
    Discriminator(_schema_form),
    BeforeValidator(_check_schema),
]
