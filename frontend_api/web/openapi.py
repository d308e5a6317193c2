"""GET /openapi.json, made from the routes themselves.

Every rule of the application's URL map becomes an operation. Its schemas are pydantic's, of
the very types that the route validates with; its failures are classes of `domain.errors`.
A WebSocket, for which OpenAPI has no word, is a GET that answers 101; `x-message` is what it takes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from inspect import cleandoc
from typing import Final, Literal, TypeAlias, cast

import orjson
from pydantic import TypeAdapter
from quart import Blueprint, Quart, Response, current_app
from werkzeug.routing import Rule

from frontend_api.domain.errors import Forbidden, ServiceError, Unauthenticated, WrongKey
from frontend_api.web.access import Access, access_to
from frontend_api.web.answer_types import Error
from frontend_api.web.documented import Described, RouteDoc, doc_of, documented
from frontend_api.web.query import Query

VERSION: Final = "0.1.0"
JSON: Final = "application/json"
Json: TypeAlias = Mapping[str, object]

_REF: Final = "#/components/schemas/{model}"
_MODE: Final[Literal["validation"]] = "validation"
_ARGUMENT: Final = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
# Werkzeug adds them to every route.
_IMPLIED_METHODS: Final = frozenset({"HEAD", "OPTIONS"})
_ABOUT: Final = """\
OpenAI-style APIs in front of models served by NVIDIA Triton. Fields that begin with `x_` and \
those that OpenAI does not have are extensions. Every failure is the `Error` object; after a \
stream has begun it comes as an event. Every answer carries `x-request-id`.\
"""
_STREAM: Final = (
    "As a stream, Server-Sent Events: what follows each `data: ` is of this schema, and a line "
    "that begins with a colon is a keepalive. A stream of objects ends with `data: [DONE]`."
)
_HEADERS: Final[Json] = {
    "x-request-id": {"$ref": "#/components/headers/x-request-id"},
    "openai-processing-ms": {"$ref": "#/components/headers/openai-processing-ms"},
}
_COMPONENT_HEADERS: Final[Json] = {
    "x-request-id": {
        "description": "The request's name in the log: the client's own, or a new one.",
        "schema": {"type": "string"},
    },
    "openai-processing-ms": {
        "description": "Milliseconds until the answer began.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "retry-after": {
        "description": "Seconds after which the same request may work.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
}

_IDEMPOTENCY_KEY: Final[Json] = {
    "name": "idempotency-key",
    "in": "header",
    "description": (
        "The request is done once, however often it is sent with this key. The answers after the "
        "first have the header `idempotent-replayed: true`."
    ),
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
_SCHEME: Final = "api-key"
_API_KEY: Final[Json] = {
    "type": "http",
    "scheme": "bearer",
    "description": (
        "Needed where the server has keys switched on. The scope that an operation needs is its "
        "`x-scope`. A WebSocket takes the key also as the subprotocol `conch-key.KEY`, or with the "
        'first message, `{"type": "auth", "key": "KEY"}`.'
    ),
}


def openapi_routes() -> Blueprint:
    """Return the route that describes all routes."""
    blueprint = Blueprint("openapi", __name__)
    rendered: list[bytes] = []

    @blueprint.get("/openapi.json")
    @documented(RouteDoc(tag="Reference", answers={200: dict[str, object]}))
    async def openapi() -> Response:
        """Describe every route, as OpenAPI 3.1."""
        if not rendered:
            app = current_app._get_current_object()  # type: ignore[attr-defined]
            # Once, and a tenth of a second of work: streams go on meanwhile.
            rendered.append(await asyncio.to_thread(_render, app))
        return Response(rendered[0], mimetype=JSON)

    return blueprint


def _render(app: Quart) -> bytes:
    return orjson.dumps(openapi_document(app.url_map.iter_rules(), app.view_functions))


def openapi_document(rules: Iterable[Rule], views: Mapping[str, Callable[..., object]]) -> Json:
    """Return the document of the routes that are documented (a test demands that all are)."""
    found = [_Operation(rule, views[rule.endpoint], doc) for rule, doc in _documented(rules, views)]
    schemas = _Schemas(found)
    paths: dict[str, dict[str, Json]] = {}
    for operation in found:
        for method in operation.methods:
            paths.setdefault(operation.path, {})[method] = operation.as_json(schemas, method)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Conch", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "headers": _COMPONENT_HEADERS,
            "parameters": {"idempotency-key": _IDEMPOTENCY_KEY},
            "securitySchemes": {_SCHEME: _API_KEY},
        },
    }


def path_of(rule: Rule) -> str:
    """Return the rule as OpenAPI writes it: `/v1/models/{model_id}`."""
    return _ARGUMENT.sub(r"{\1}", rule.rule)


def methods_of(rule: Rule) -> list[str]:
    """Return the methods that the route was written for, in lower case; a WebSocket is a GET."""
    if rule.websocket:
        return ["get"]
    return sorted(method.lower() for method in (rule.methods or set()) - _IMPLIED_METHODS)


def _documented(
    rules: Iterable[Rule], views: Mapping[str, Callable[..., object]]
) -> Iterable[tuple[Rule, RouteDoc]]:
    # What most readers look for comes first.
    for rule in sorted(rules, key=lambda rule: (not rule.rule.startswith("/v1/"), rule.rule)):
        if doc := doc_of(views[rule.endpoint]):
            yield rule, doc


class _Schemas:
    """The schemas of all described types, each once, in pydantic's words."""

    def __init__(self, operations: Iterable[_Operation]) -> None:
        """Ask pydantic once, so that types of one name are told apart."""
        kinds = {repr(kind): kind for each in operations for kind in each.described()}
        adapters = {key: TypeAdapter(cast(type[object], kind)) for key, kind in kinds.items()}
        self._by_key, definitions = TypeAdapter.json_schemas(
            [(key, _MODE, adapter) for key, adapter in adapters.items()], ref_template=_REF
        )
        self.components: Json = definitions.get("$defs", {})

    def of(self, kind: Described) -> Json:
        """Return the schema of a type, mostly a reference."""
        return self._by_key[repr(kind), _MODE]


@dataclass(frozen=True, slots=True)
class _Operation:
    """A route as the document shows it."""

    rule: Rule
    view: Callable[..., object]
    doc: RouteDoc

    @property
    def path(self) -> str:
        return path_of(self.rule)

    @property
    def methods(self) -> Sequence[str]:
        return methods_of(self.rule)

    @property
    def access(self) -> Access:
        return access_to(self.rule.endpoint)

    @property
    def failures(self) -> Sequence[type[ServiceError]]:
        # Also without a key: a page, or a name for this host, that is not allowed.
        of_keys = () if self.access == "public" else (Unauthenticated, WrongKey)
        return (*of_keys, Forbidden, *self.doc.failures)

    def described(self) -> Iterable[Described]:
        """Every type that the operation mentions."""
        kinds = [Error, self.doc.body, *self.doc.answers.values(), *self.doc.media.values()]
        return (kind for kind in kinds if kind is not None)

    def as_json(self, schemas: _Schemas, method: str) -> Json:
        """Return the operation object."""
        name = self.view.__name__
        summary, _, more = cleandoc(self.view.__doc__ or name).partition("\n\n")
        operation: dict[str, object] = {
            "operationId": f"{self.rule.endpoint}.{method}".replace(".", "_"),
            "tags": [self.doc.tag],
            "summary": summary.rstrip("."),
            "responses": self._responses(schemas),
        }
        if more:
            operation["description"] = more
        if self.access == "public":
            operation["security"] = []
        else:
            operation["security"] = [{_SCHEME: []}]
            operation["x-scope"] = self.access
        if parameters := self._parameters():
            operation["parameters"] = parameters
        if self.rule.websocket:
            operation["x-message"] = schemas.of(self.doc.body)
        elif self.doc.body is not None:
            operation["requestBody"] = self._request_body(schemas)
        return operation

    def _parameters(self) -> Sequence[Json]:
        of_path = [_path_parameter(name) for name in sorted(self.rule.arguments)]
        of_query = () if self.doc.query is None else _query_parameters(self.doc.query)
        of_header = [{"$ref": "#/components/parameters/idempotency-key"}]
        return [*of_path, *of_query, *(of_header if self.doc.is_idempotent else ())]

    def _request_body(self, schemas: _Schemas) -> Json:
        content: dict[str, object] = {"schema": schemas.of(self.doc.body)}
        if self.doc.example is not None:
            content["example"] = self.doc.example
        return {"required": True, "content": {JSON: content}}

    def _answers(self) -> Mapping[HTTPStatus, Mapping[str, Described]]:
        if self.rule.websocket:
            return {HTTPStatus.SWITCHING_PROTOCOLS: {}}
        answers = {
            HTTPStatus(status): {} if kind is None else {JSON: kind}
            for status, kind in self.doc.answers.items()
        }
        if self.doc.media:
            answers[HTTPStatus.OK] = {**answers.get(HTTPStatus.OK, {}), **self.doc.media}
        return answers

    def _responses(self, schemas: _Schemas) -> Json:
        responses: dict[str, Json] = {}
        for answered, kinds in self._answers().items():
            responses[str(answered.value)] = _response(answered, kinds, schemas)
        for status in sorted({failure.status for failure in self.failures}):
            responses.setdefault(str(status), _failure(status, self.failures, schemas))
        return responses


def _path_parameter(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(query: type[Query]) -> Sequence[Json]:
    schema = query.model_json_schema(ref_template=_REF)
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": says}
        for name, says in schema["properties"].items()
    ]


def _response(status: HTTPStatus, kinds: Mapping[str, Described], schemas: _Schemas) -> Json:
    response: dict[str, object] = {"description": status.phrase, "headers": _HEADERS}
    if kinds:
        response["content"] = {media: {"schema": schemas.of(kind)} for media, kind in kinds.items()}
    if "text/event-stream" in kinds:
        response["description"] = _STREAM
    return response


def _failure(status: int, failures: Sequence[type[ServiceError]], schemas: _Schemas) -> Json:
    of_status = list(dict.fromkeys(each for each in failures if each.status == status))
    headers = dict(_HEADERS)
    if any(each.default_retry_after_s is not None for each in of_status):
        headers["retry-after"] = {"$ref": "#/components/headers/retry-after"}
    return {
        "description": " ".join(_sentence(each) for each in of_status),
        "headers": headers,
        "content": {JSON: {"schema": schemas.of(Error)}},
    }


def _sentence(failure: type[ServiceError]) -> str:
    sentence = cleandoc(failure.__doc__ or failure.__name__).partition("\n")[0]
    return f"{sentence} (`{failure.default_code}`)" if failure.default_code else sentence
