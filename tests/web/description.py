"""What /openapi.json says, and whether an answer is as it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from quart import Quart
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from frontend_api.web.openapi import openapi_document

Json = dict[str, Any]
_HOME = "urn:openapi"


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    path: str
    method: str
    says: Json = field(repr=False)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Let a failure show which operation it is, not all that it says."""
        printer.text(f"{self.method} {self.path}")

    @property
    def body_schema(self) -> Json | None:
        """The schema of the request's JSON; None where it has none."""
        body: Json = self.says.get("requestBody", {})
        return body["content"]["application/json"]["schema"] if body else None

    @property
    def example(self) -> Json:
        """The example of the request's JSON."""
        example: Json = self.says["requestBody"]["content"]["application/json"]["example"]
        return example


@dataclass
class Description:
    """The document of one application."""

    document: Json
    _validators: dict[str, Draft202012Validator] = field(default_factory=dict)

    @classmethod
    def of(cls, app: Quart) -> Description:
        """Return what this application says of itself, as a client reads it."""
        made = openapi_document(app.url_map.iter_rules(), app.view_functions)
        return cls(json.loads(json.dumps(made)))

    @property
    def operations(self) -> Iterator[Operation]:
        """Every operation."""
        for path, methods in self.document["paths"].items():
            for method, says in methods.items():
                yield Operation(path, method, says)

    def operation(self, method: str, path: str) -> Operation:
        """Return one operation."""
        return Operation(path, method, self.document["paths"][path][method])

    def faults(self, schema: Json, instance: object) -> list[str]:
        """Return how the instance departs from a schema of the document."""
        key = json.dumps(schema)
        if key not in self._validators:
            schema = json.loads(key.replace('"#/', f'"{_HOME}#/'))
            self._validators[key] = Draft202012Validator(schema, registry=self._registry)
        found = self._validators[key].iter_errors(instance)
        return [f"{fault.json_path}: {fault.message}" for fault in found]

    def faults_of_answer(self, operation: Operation, answer: httpx.Response) -> list[str]:
        """Return how an answer departs from what its operation says."""
        status, body = answer.status_code, answer.content
        media = answer.headers.get("content-type", "")
        says = operation.says["responses"].get(str(status))
        if says is None:
            return [f"{operation.method} {operation.path}: {status} is not documented"]
        content: Json = says.get("content", {})
        if not content:
            return [f"{operation.path}: a body where none is documented"] if body else []
        kind = media.partition(";")[0]
        if kind not in content:
            return [f"{operation.path}: {status} with {media!r} is not documented"]
        schema = content[kind]["schema"]
        if kind == "text/event-stream":
            # The original service's dialect streams raw text: nothing to look into.
            is_raw = {"type": "string"} in (schema, *schema.get("anyOf", ()))
            events = [] if is_raw else stream_events(body)
            return [fault for event in events for fault in self._of_event(schema, event)]
        return self.faults(schema, json.loads(body) if kind == "application/json" else "text")

    def _of_event(self, schema: Json, event: object) -> list[str]:
        is_error = isinstance(event, dict) and "error" in event
        return self.faults({"$ref": "#/components/schemas/Error"} if is_error else schema, event)

    @cached_property
    def _registry(self) -> Registry[Any]:
        home = DRAFT202012.create_resource(self.document)
        registry: Registry[Any] = Registry().with_resource(_HOME, home)
        return registry


def stream_events(body: bytes) -> list[object]:
    """Return the JSON of a stream's events; demands that its last one ends it."""
    blocks = [block for block in body.decode().split("\n\n") if block and block[0] != ":"]
    if blocks[0].startswith("event: "):
        return _named_events(blocks)
    assert blocks[-1] == "data: [DONE]", blocks[-1]
    return [json.loads(block.removeprefix("data: ")) for block in blocks[:-1]]


def _named_events(blocks: list[str]) -> list[object]:
    """Return the JSON of the events of a response, which have their type twice."""
    events = []
    for block in blocks:
        name, data = block.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    assert "response" in events[-1], events[-1]
    return events
