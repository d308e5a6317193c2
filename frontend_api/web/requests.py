"""GET and DELETE /v1/requests/{id}, POST /v1/requests/{id}/cancel.

The id is the `x-request-id` of the answer, or of the request if its client chose one. What a
cancelled request's own client gets is the error `request_cancelled`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Final, Literal

import orjson
from pydantic import Field
from quart import Blueprint, Response

from frontend_api.domain.errors import NotFound
from frontend_api.domain.running import RunningRequest, State
from frontend_api.service.requests import Requests
from frontend_api.web.answer_types import Answer
from frontend_api.web.documented import RouteDoc, documented


class RequestAnswer(Answer):
    """A request that is being answered, or was until now."""

    id: str
    object: Literal["request"]
    model: str
    state: State
    queue_position: int | None = Field(
        ge=1, description="Its place in the line before the model; null when it is not in line."
    )
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)


_DOC: Final = RouteDoc(tag="Requests", answers={200: RequestAnswer}, errors=(NotFound,))


def request_routes(requests: Requests) -> Blueprint:
    """Return the routes that look at running requests and stop them."""
    blueprint = Blueprint("requests", __name__)

    @blueprint.get("/v1/requests/<path:request_id>")
    @documented(_DOC)
    async def get_request(request_id: str) -> Response:
        """Say how far a running request is."""
        return _answer(await requests.act(request_id, "look"))

    @blueprint.delete("/v1/requests/<path:request_id>")
    @documented(_DOC)
    async def delete_request(request_id: str) -> Response:
        """Stop a running request."""
        return _answer(await requests.act(request_id, "cancel"))

    @blueprint.post("/v1/requests/<path:request_id>/cancel")
    @documented(_DOC)
    async def cancel_request(request_id: str) -> Response:
        """Stop a running request, as DELETE does."""
        return _answer(await requests.act(request_id, "cancel"))

    return blueprint


def _answer(found: RunningRequest) -> Response:
    body = {**asdict(found), "object": "request"}
    return Response(orjson.dumps(body), mimetype="application/json")
