"""Reads a request's query string into its type, with the same words for what is wrong in it."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from quart import request

from frontend_api.web.validation import as_bad_request


class Query(BaseModel):
    """The parameters of an address: text, read as what it stands for; no unknown one."""

    model_config = ConfigDict(extra="forbid", frozen=True)


QueryType = TypeVar("QueryType", bound=Query)


def read_query(kind: type[QueryType]) -> QueryType:
    """Return the checked parameters of the request; raises BadRequest."""
    # `name[]`, or a name that comes again, is an array.
    given: dict[str, str | list[str]] = {
        name.removesuffix("[]"): texts if name.endswith("[]") or len(texts) > 1 else texts[0]
        for name, texts in request.args.lists()
    }
    try:
        return kind.model_validate(given)
    except ValidationError as exc:
        raise as_bad_request(exc) from exc
