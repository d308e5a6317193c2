"""Requests made from the document: what fits a schema, then what somebody broke."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

from tests.web.description import Description, Json, Operation

# Small enough for a thousand answers a second, large enough for every branch.
MAX_ITEMS: Final = 3
BATCH: Final = 10
MAX_OPTIONAL: Final = 4
# A name that is served, among fields whose schema is any text.
KNOWN: Final = {"model": "demo", "model-name": "demo"}


def nested(depth: int) -> object:
    """Return lists within lists."""
    value: object = "x"
    for _ in range(depth):
        value = [value]
    return value


JUNK: Final[tuple[object, ...]] = (
    *(None, True, False, 0, 1, -1, 0.5, -0.0, 2**31, 2**63, 2**64, -(2**63) - 1, 10**40, 1e308),
    *(math.nan, math.inf, -math.inf, "", " ", "x", "\x00", "\ud800", "\udfff\ud800", "é" * 300),
    *("x" * 70_000, "demo", "text", "null", "__proto__", "a.b[0]", "{message}", "%s%n", "<tag>"),
    *([], {}, [[]], [{}], [None], [1, "a"], [[1], ["a"]], [-1], [2**40], ["x"] * 200),
    *({"": None}, {"type": "text"}, {"type": "text", "text": None}, {"type": [], "role": {}}),
    *({"role": "user", "content": "hi"}, {"type": "image_url", "image_url": {"url": "x"}}),
    *({"include_usage": True}, nested(60), {"a": {"b": {"c": nested(20)}}}),
)
RAW: Final = (
    *(b"", b" ", b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b"null", b"[]", b"0", b'"x"', b"NaN"),
    *(b"{", b"}", b"{'a': 1}", b'{"a": 1,}', b'{"a" 1}', b'{"a": 01}', b"\x00", b"\x80", b"{}{}"),
    *(b"[" * 100_000, b'{"a":' * 5000, b'{"a":' * 500 + b"1" + b"}" * 500, b"1" * 5000, b"1e999"),
    *(b'{"\\ud800": 1}', b'{"model": "\xed\xa0\x80"}', b'"' + b"x" * 2_000_000 + b'"'),
)


# Made once each: making a strategy costs more than drawing from it.
up_to = cache(lambda most: st.integers(0, most))
whole = cache(st.integers)
decimal = cache(st.floats)
TEXTS: Final = st.text(max_size=12)
BINARY: Final = st.binary(max_size=60)


def pick(draw: st.DrawFn, items: Sequence[Any]) -> Any:
    """Return one of the items."""
    return items[draw(up_to(len(items) - 1))]


def junk(draw: st.DrawFn) -> object:
    """Return a value that fits hardly any field; a new one, for it may be broken too."""
    return copy.deepcopy(pick(draw, JUNK))


@dataclass(frozen=True)
class Fitting:
    """Draws values that fit the document's schemas."""

    draw: st.DrawFn
    schemas: Json

    def value(self, schema: Json, name: str = "") -> object:
        """Return a value of a schema, served names where only those are answered."""
        if name in KNOWN:
            return KNOWN[name]
        if "$ref" in schema:
            return self.value(self.schemas[schema["$ref"].rpartition("/")[2]])
        for choices in ("anyOf", "oneOf"):
            if choices in schema:
                return self.value(pick(self.draw, schema[choices]))
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return pick(self.draw, schema["enum"])
        make = _MAKERS.get(schema.get("type", ""))
        return junk(self.draw) if make is None else make(self, schema)

    def an_object(self, schema: Json) -> Json:
        """Return an object: all required fields, a few of the others."""
        fields: Json = schema.get("properties", {})
        others = schema.get("additionalProperties")
        if not fields and isinstance(others, dict):
            return {self.draw(TEXTS): self.value(others) for _ in range(self.draw(up_to(2)))}
        names = [name for name in fields if name in schema.get("required", ())]
        optional = [name for name in fields if name not in names]
        if optional:
            names += [pick(self.draw, optional) for _ in range(self.draw(up_to(MAX_OPTIONAL)))]
        return {name: self.value(fields[name], name) for name in names}

    def an_array(self, schema: Json) -> list[object]:
        """Return a short array."""
        least = schema.get("minItems", 0)
        most = min(schema.get("maxItems", MAX_ITEMS), max(least, MAX_ITEMS))
        number = self.draw(whole(least, most))
        return [self.value(schema.get("items", {})) for _ in range(number)]

    def a_string(self, schema: Json) -> str:
        """Return a short text, non-ASCII ones included."""
        text = self.draw(TEXTS).ljust(schema.get("minLength", 0), "é")
        return text[: schema.get("maxLength")]

    def an_integer(self, schema: Json) -> int:
        """Return an integer, mostly a small one: `n` choices are made, not only counted."""
        least, most = schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1)
        is_any = self.draw(up_to(3)) == 0
        return self.draw(whole(least, most) if is_any else whole(max(least, 0), min(most, 3)))

    def a_number(self, schema: Json) -> float:
        """Return a decimal."""
        least = schema.get("minimum", schema.get("exclusiveMinimum")) or 0
        return self.draw(decimal(least, schema.get("maximum", 1e6))) or least


_MAKERS: Final[dict[str, Callable[[Fitting, Json], object]]] = {
    "object": Fitting.an_object,
    "array": Fitting.an_array,
    "string": Fitting.a_string,
    "integer": Fitting.an_integer,
    "number": Fitting.a_number,
    "boolean": lambda fitting, schema: bool(fitting.draw(up_to(1))),
    "null": lambda fitting, schema: None,
}


@st.composite
def attempts(
    draw: st.DrawFn, says: Description, operations: Sequence[Operation]
) -> tuple[Operation, bytes]:
    """An operation and its body: one that fits in a third of the cases, else broken."""
    operation = pick(draw, operations)
    fitting = Fitting(draw, says.document["components"]["schemas"])
    body = copy.deepcopy(fitting.value(operation.body_schema or {}))
    for _ in range(draw(up_to(2))):
        body = _broken(draw, body)
    text = json.dumps(body, ensure_ascii=bool(draw(up_to(1))))
    return operation, _encoded(draw, text, body)


def batches(one: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Return lists of requests: what Hypothesis does for each example then costs a tenth."""
    return st.lists(one, min_size=BATCH, max_size=BATCH)


@st.composite
def raw(draw: st.DrawFn) -> bytes:
    """A body that is no JSON object."""
    return bytes(pick(draw, RAW) if draw(up_to(1)) else draw(BINARY))


def _encoded(draw: st.DrawFn, text: str, body: object) -> bytes:
    """Return the JSON's bytes, now and then damaged."""
    given = text.encode("utf-8", "surrogatepass")
    if not isinstance(body, dict) or not body:
        return given
    match draw(up_to(15)):
        case 0:  # a key twice
            return given[:-1] + b", " + json.dumps(dict([next(iter(body.items()))])).encode()[1:]
        case 1:
            return given[: len(given) // 2]
        case 2:
            return b"\xef\xbb\xbf" + given
        case 3:
            return given + b"\xff"
        case _:
            return given


def _broken(draw: st.DrawFn, body: object) -> object:
    """Return the body with one place replaced, taken away or added."""
    places = list(_places(body))
    if not places:
        return junk(draw)
    holder, key = pick(draw, places)
    match draw(up_to(5)):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[draw(TEXTS)] = junk(draw)
        case 2 if isinstance(holder, list):
            holder.extend([holder[key]] * 300)
        case _:
            holder[key] = junk(draw)
    return body


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container and key within a value, the outermost first."""
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for key in keys:
        yield value, key
    for key in keys:
        yield from _places(value[key])
