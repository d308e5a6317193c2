"""GET /models and GET /models/{id} in the original service's dialect."""

from __future__ import annotations

from typing import Final

import orjson
from quart import Blueprint, Response

from frontend_api.domain.errors import ModelNotFound
from frontend_api.service.generations import Generations
from frontend_api.web.documented import RouteDoc, documented
from frontend_api.web.original_answers import OriginalModel, OriginalModels

TAG: Final = "Original dialect"


def original_model_routes(generations: Generations) -> Blueprint:
    """Return the routes that list the models."""
    blueprint = Blueprint("original_models", __name__)

    @blueprint.get("/models")
    @documented(RouteDoc(tag=TAG, answers={200: OriginalModels}))
    async def list_models() -> Response:
        """List the names of all models, the ready ones first."""
        return _json({"models": [model.name for model in generations.models()]})

    @blueprint.get("/models/<path:model_id>")
    @documented(RouteDoc(tag=TAG, answers={200: OriginalModel}, errors=(ModelNotFound,)))
    async def get_model(model_id: str) -> Response:
        """Describe one model."""
        found = [model for model in generations.models() if model.name == model_id]
        if not found:
            raise ModelNotFound(f"The model '{model_id}' does not exist", param="model")
        model = found[0]
        return _json(
            {
                "id": model.name,
                "name": model.name,
                "context_length": model.context_length,
                "quantization": model.quantization,
            }
        )

    return blueprint


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), mimetype="application/json")
