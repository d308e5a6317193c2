"""What an attacker puts where a database might take it for an operator, by every route."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

Json = Any
# A route with its method, path and body.
Attack = tuple[str, str, Json]

TEXTS = ('{"$ne":null}', "$where", "a.b.$[]", "x\x00y", "' OR 1=1 --", "[$ne]", "%", "_")
VALUES: tuple[Json, ...] = (*TEXTS, {"$ne": None}, {"$where": "sleep(9)"}, ["$or"], {"a.b": "\x00"})
# They wait for nothing from us, and are no part of the sessions.
_OTHERS = ("/admin/", "/docs", "/v1/completions", "/completions", "/tokenize", "/detokenize")


def attacks(description: Json) -> Iterator[Attack]:
    """Yield requests for every route of an OpenAPI description that has to do with sessions."""
    for path, operations in description["paths"].items():
        if not path.startswith(_OTHERS):
            for method, operation in operations.items():
                yield from _attacks_on(method, path, operation)


def _attacks_on(method: str, path: str, operation: Json) -> Iterator[Attack]:
    content = operation.get("requestBody", {}).get("content", {})
    example = content.get("application/json", {}).get("example")
    if "{" in path:
        for text in TEXTS:
            yield method, filled(path, text), example
    for body in changed(example):
        yield method, filled(path, "none"), body
    for query in queries(operation):
        yield method, f"{filled(path, 'none')}?{query}", None


def filled(path: str, text: str) -> str:
    """Return the path with this in every place."""
    parts = [quote(text, safe="") if part.startswith("{") else part for part in path.split("/")]
    return "/".join(parts)


def changed(body: Json) -> Iterator[Json]:
    """Yield the body with each of its values, at any depth, replaced by each of ours."""
    entries = body.items() if isinstance(body, dict) else enumerate(body or ())
    for key, value in [] if isinstance(body, str | float) else list(entries):
        inner = changed(value) if isinstance(value, dict | list) else iter(())
        for new in (*VALUES, *inner):
            copy = dict(body) if isinstance(body, dict) else list(body)
            copy[key] = new
            yield copy
    if isinstance(body, dict):
        for name in ("$where", "a.b", "x\x00"):
            yield {**body, name: 1}


def queries(operation: Json) -> Iterator[str]:
    """Yield query strings that put each text into each parameter."""
    names = [each["name"] for each in operation.get("parameters", ()) if each.get("in") == "query"]
    for name in names:
        for text in TEXTS:
            yield f"{name}={quote(text, safe='')}"
            yield f"{name}[$ne]={quote(text, safe='')}"
