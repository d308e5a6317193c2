"""/admin/keys: make, list, describe, limit, rotate and revoke API keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson
from quart import Blueprint, Response

from frontend_api.domain.errors import Conflict, NotFound, StoreLost
from frontend_api.service.keys import Keys, NewKey
from frontend_api.web.body import read_body
from frontend_api.web.documented import RouteDoc, documented
from frontend_api.web.key_types import ApiKeyAnswer, ApiKeyList, NewApiKey, key_json
from frontend_api.web.query import read_query
from frontend_api.web.wire_base import Wire
from frontend_api.web.wire_keys import KeyIn, KeysQuery, LimitsIn, RotateQuery

TAG: Final = "API keys"
_ALL: Final = "/admin/keys"
_ONE: Final = f"{_ALL}/<key_id>"
# Not idempotent: the answer would be kept, and the key in it.
_CREATE_DOC: Final = RouteDoc(
    tag=TAG,
    body=KeyIn,
    example={"name": "laptop", "owner": "alice", "scopes": ["chat", "sessions"]},
    answers={200: NewApiKey},
    errors=(StoreLost,),
)
_LIST_DOC: Final = RouteDoc(
    tag=TAG, query=KeysQuery, answers={200: ApiKeyList}, errors=(NotFound, StoreLost)
)
_GET_DOC: Final = RouteDoc(tag=TAG, answers={200: ApiKeyAnswer}, errors=(NotFound, StoreLost))
_LIMIT_DOC: Final = RouteDoc(
    tag=TAG,
    body=LimitsIn,
    example={"requests_per_minute": 60, "tokens_per_day": None},
    answers={200: ApiKeyAnswer},
    errors=(NotFound, Conflict, StoreLost),
)
_ROTATE_DOC: Final = RouteDoc(
    tag=TAG, query=RotateQuery, answers={200: NewApiKey}, errors=(NotFound, Conflict, StoreLost)
)
_REVOKE_DOC: Final = RouteDoc(
    tag=TAG, answers={200: ApiKeyAnswer}, errors=(NotFound, Conflict, StoreLost)
)


def key_routes(keys: Keys) -> Blueprint:
    """Return the routes."""
    blueprint = Blueprint("admin_keys", __name__)
    _add_views(blueprint, keys)
    _add_changes(blueprint, keys)
    return blueprint


def _add_views(blueprint: Blueprint, keys: Keys) -> None:
    @blueprint.get(_ALL)
    @documented(_LIST_DOC)
    async def list_keys() -> Response:
        """List the keys, those of the configuration first, then the oldest first."""
        query = read_query(KeysQuery)
        page = await keys.page(query.after, query.limit)
        ids = [key.id for key in page.keys]
        return _answer(
            {
                "object": "list",
                "data": [key_json(key, keys.now()) for key in page.keys],
                "first_id": ids[0] if ids else None,
                "last_id": ids[-1] if ids else None,
                "has_more": page.has_more,
            }
        )

    @blueprint.get(_ONE)
    @documented(_GET_DOC)
    async def get_key(key_id: str) -> Response:
        """Describe a key."""
        return _answer(key_json(await keys.describe(key_id), keys.now()))


def _add_changes(blueprint: Blueprint, keys: Keys) -> None:
    def new(made: NewKey) -> Response:
        return _answer({**key_json(made.record, keys.now()), "key": made.text})

    @blueprint.post(_ALL)
    @documented(_CREATE_DOC)
    async def create_key() -> Response:
        """Make a key; this answer is the only one that has it."""
        wire = await read_body(KeyIn)
        return new(await keys.create(wire.to_order()))

    @blueprint.post(_ONE)
    @documented(_LIMIT_DOC)
    async def limit_key(key_id: str) -> Response:
        """Change the limits of a key; every worker heeds it within 5 s."""
        wire = await read_body(LimitsIn)
        return _answer(key_json(await keys.limit(key_id, wire.to_changes()), keys.now()))

    @blueprint.post(f"{_ONE}/rotate")
    @documented(_ROTATE_DOC)
    async def rotate_key(key_id: str) -> Response:
        """Give a key a new secret; the one until now stays good for a while."""
        query = read_query(RotateQuery)
        await read_body(Wire)
        return new(await keys.rotate(key_id, query.overlap_seconds))

    @blueprint.delete(_ONE)
    @documented(_REVOKE_DOC)
    async def revoke_key(key_id: str) -> Response:
        """Let nobody in with a key any more, for good; it stays in the list."""
        return _answer(key_json(await keys.revoke(key_id), keys.now()))


def _answer(document: Mapping[str, object]) -> Response:
    response = Response(orjson.dumps(document), mimetype="application/json")
    # A key in it must not stay in any cache.
    response.headers["cache-control"] = "no-store"
    return response
