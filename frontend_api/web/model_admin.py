"""/admin/models/{id}/load and /unload."""

from __future__ import annotations

from typing import Final

import orjson
from quart import Blueprint, Response

from frontend_api.domain.errors import BackendLost, Conflict, ModelNotFound, ModelNotReady
from frontend_api.domain.model import ServedModel
from frontend_api.service.model_loading import ModelLoading
from frontend_api.web.answer_types import Model
from frontend_api.web.body import read_body
from frontend_api.web.documented import RouteDoc, documented
from frontend_api.web.models import model_json
from frontend_api.web.wire_base import Wire

TAG: Final = "Models"
_LOAD_DOC: Final = RouteDoc(
    tag=TAG, answers={200: Model}, errors=(ModelNotFound, ModelNotReady, BackendLost)
)
_UNLOAD_DOC: Final = RouteDoc(
    tag=TAG, answers={200: Model}, errors=(ModelNotFound, Conflict, BackendLost)
)


def model_admin_routes(loading: ModelLoading) -> Blueprint:
    """Return the routes."""
    blueprint = Blueprint("admin_models", __name__)

    @blueprint.post("/admin/models/<path:model_id>/load")
    @documented(_LOAD_DOC)
    async def load_model(model_id: str) -> Response:
        """Load a model and answer when it is ready; a loaded one changes to its newest version.

        What runs on an older version goes on to its end.
        """
        await read_body(Wire)
        return _json(await loading.load(model_id))

    @blueprint.post("/admin/models/<path:model_id>/unload")
    @documented(_UNLOAD_DOC)
    async def unload_model(model_id: str) -> Response:
        """Unload a model that answers nothing now; the next request for it loads it again."""
        await read_body(Wire)
        return _json(await loading.unload(model_id))

    return blueprint


def _json(model: ServedModel) -> Response:
    return Response(orjson.dumps(model_json(model)), mimetype="application/json")
