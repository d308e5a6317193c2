"""GET /v1/models and GET /v1/models/{id}."""

from __future__ import annotations

import orjson
from quart import Blueprint, Response

from frontend_api.domain.errors import ModelNotFound
from frontend_api.domain.model import ServedModel
from frontend_api.service.generations import Generations
from frontend_api.web.answer_types import Model, ModelList
from frontend_api.web.documented import RouteDoc, documented


def model_routes(generations: Generations) -> Blueprint:
    """Return the routes that list the served models."""
    blueprint = Blueprint("models", __name__)

    @blueprint.get("/v1/models")
    @documented(RouteDoc(tag="Models", answers={200: ModelList}))
    async def list_models() -> Response:
        """List every model and its state, the ready ones first."""
        return _json({"object": "list", "data": [model_json(m) for m in generations.models()]})

    @blueprint.get("/v1/models/<path:model_id>")
    @documented(RouteDoc(tag="Models", answers={200: Model}, errors=(ModelNotFound,)))
    async def get_model(model_id: str) -> Response:
        """Describe one model."""
        for model in generations.models():
            if model.name == model_id:
                return _json(model_json(model))
        raise ModelNotFound(f"The model '{model_id}' does not exist", param="model")

    return blueprint


def model_json(model: ServedModel) -> dict[str, object]:
    """Return a model as OpenAI shows it, and in `x_conch` what is ours."""
    share = model.loaded_share
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": "conch",
        "x_conch": {
            "state": model.state,
            "reason": model.reason or None,
            "engine": model.engine,
            "quantization": model.quantization,
            "context_length": model.context_length,
            "capabilities": sorted(model.capabilities or ()),
            "tool_format": model.tool_format,
            "reasoning_format": model.reasoning_format,
            "alias_of": model.alias_of,
            "base": model.base,
            "max_sequences": model.max_sequences,
            "load_seconds": model.load_s,
            "loading_seconds": model.loading_s,
            "loading_percent": None if share is None else int(100 * share),
            "memory_bytes": model.memory_bytes,
        },
    }


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), mimetype="application/json")
