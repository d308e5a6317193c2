"""JSON schemas as grammars in xgrammar's EBNF, with at most one space between tokens.

Why not xgrammar's own conversion: it allows white space without end, in which a small model loses
itself until its tokens run out, and it passes over keywords that it does not know. Here a keyword
that no grammar enforces is refused by name.

How it works: every node of the schema becomes a rule; a grammar may allow less than the schema
does, never more. An object's members keep the order of `properties`: `first` rules are what may
come while nothing is written, `next` rules what may follow a member. JSON Schema 2020-12.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from .json_values import JsonObject, JsonValue

_ANNOTATIONS: Final = frozenset(
    {
        "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
        "$schema", "$id", "$comment", "$defs", "definitions",
    }
)  # fmt: skip
_HERE: Final = frozenset(
    {
        "type", "properties", "required", "additionalProperties", "items", "minItems", "maxItems",
        "minLength", "maxLength", "enum", "const", "anyOf", "allOf", "$ref",
    }
)  # fmt: skip
# xgrammar's own conversion enforces these; a schema with one of them is left to it.
_XGRAMMAR: Final = frozenset(
    {"pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
)
_TYPES: Final = ("object", "array", "string", "number", "integer", "boolean", "null")
_TYPE_OF_KEYWORD: Final = {
    "properties": "object", "required": "object", "additionalProperties": "object",
    "items": "array", "minItems": "array", "maxItems": "array",
    "minLength": "string", "maxLength": "string",
}  # fmt: skip
# A repetition is unrolled by the compiler, so its bounds are bounded.
_MAX_REPEATS: Final = 4096
# Digits are bounded too: a number must end, and must fit what reads it.
_BASE: Final = r"""
colon ::= ":" " "?
comma ::= "," " "?
char ::= [^"\\\x00-\x1f\x7f] | "\\" ["\\/bfnrt]
string ::= "\"" char* "\""
integer ::= "-"? ("0" | [1-9] [0-9]{0,14})
number ::= integer ("." [0-9]{1,15})? ([eE] [+-]? [0-9]{1,2})?
boolean ::= "true" | "false"
null ::= "null"
object ::= "{" (string colon value (comma string colon value)*)? "}"
array ::= "[" (value (comma value)*)? "]"
value ::= object | array | string | number | boolean | null
"""


class UnsupportedSchemaError(ValueError):
    """No grammar can hold the output to this schema; the message says why."""


def schema_grammar(schema: JsonValue) -> str | None:
    """The grammar of a schema; None when it is one for xgrammar's own conversion.

    Raises UnsupportedSchemaError.
    """
    grammar = _Grammar(schema)
    root = grammar.rule(schema, "#", frozenset())
    if grammar.is_for_xgrammar:
        return None
    return "\n".join([f"root ::= {root}", *grammar.rules, _BASE])


class _Grammar:
    """The rules made so far; a reference finds the rule of its target by the pointer."""

    def __init__(self, schema: JsonValue) -> None:
        self.rules: list[str] = []
        self.is_for_xgrammar = False
        self._schema = schema
        self._names: dict[str, str] = {}

    def rule(self, node: JsonValue, at: str, open_refs: frozenset[str]) -> str:
        """The name of the rule for a node; `open_refs` are those with no character since."""
        if node is True or node == {}:
            return "value"
        if not isinstance(node, dict):
            raise UnsupportedSchemaError(f"{at} is not a schema that allows anything")
        self._check_keywords(node, at)
        if at in open_refs:
            raise UnsupportedSchemaError(f"{at} refers to itself without end")
        if at not in self._names:
            self._names[at] = f"n{len(self._names)}"
            self.rules.append(f"{self._names[at]} ::= {self._body(node, at, open_refs | {at})}")
        return self._names[at]

    def _check_keywords(self, node: JsonObject, at: str) -> None:
        for keyword in node:
            if keyword in _XGRAMMAR:
                self.is_for_xgrammar = True
            elif keyword not in _HERE and keyword not in _ANNOTATIONS:
                raise UnsupportedSchemaError(f"{at} uses {keyword!r}, which is not supported")

    def _body(self, node: JsonObject, at: str, open_refs: frozenset[str]) -> str:
        for keyword in ("$ref", "anyOf", "allOf"):
            if keyword in node:
                beside = sorted(set(node) - _ANNOTATIONS - {keyword})
                if beside:
                    raise UnsupportedSchemaError(f"{at} has {', '.join(beside)} beside {keyword!r}")
                return self._combined(node, keyword, at, open_refs)
        if "enum" in node or "const" in node:
            return _literals(node, at)
        return " | ".join(self._of_type(kind, node, at) for kind in _types(node, at))

    def _combined(self, node: JsonObject, keyword: str, at: str, open_refs: frozenset[str]) -> str:
        if keyword == "$ref":
            pointer = str(node["$ref"])
            return self.rule(_resolve(self._schema, pointer), pointer, open_refs)
        branches = _schemas(node, keyword, at)
        if keyword == "allOf" and len(branches) > 1:
            raise UnsupportedSchemaError(f"{at} uses 'allOf' with more than one schema")
        return " | ".join(
            self.rule(branch, f"{at}/{keyword}/{index}", open_refs)
            for index, branch in enumerate(branches)
        )

    def _of_type(self, kind: str, node: JsonObject, at: str) -> str:
        if kind == "object":
            return self._object(node, at)
        if kind == "array":
            item = self.rule(node.get("items", True), f"{at}/items", frozenset())
            return _array(item, *_bounds(node, "minItems", "maxItems", at))
        if kind == "string" and ("minLength" in node or "maxLength" in node):
            least, most = _bounds(node, "minLength", "maxLength", at)
            return rf'"\"" char{_repeat(least, most)} "\""'
        return kind

    def _object(self, node: JsonObject, at: str) -> str:
        properties = node.get("properties", {})
        required = node.get("required", [])
        if not isinstance(properties, dict) or not isinstance(required, list):
            raise UnsupportedSchemaError(f"{at} needs an object of properties, an array of names")
        unlisted = [name for name in required if name not in properties]
        if unlisted and node.get("additionalProperties") is False:
            raise UnsupportedSchemaError(f"{at} requires {unlisted[0]!r}, which it does not allow")
        members = {**properties, **{str(name): True for name in unlisted}}
        if not members:
            return self._map(node.get("additionalProperties", True), at)
        pairs = [
            (f"{_quoted(json.dumps(name, ensure_ascii=False))} colon "
             f"{self.rule(member, f'{at}/properties/{name}', frozenset())}", name in required)
            for name, member in members.items()
        ]  # fmt: skip
        name = f"{self._names[at]}o{len(self.rules)}"
        self.rules += _members(name, pairs)
        return f'"{{" {name}first0 "}}"'

    def _map(self, additional: JsonValue, at: str) -> str:
        if additional is False:
            return '"{}"'
        value = self.rule(additional, f"{at}/additionalProperties", frozenset())
        return f'"{{" (string colon {value} (comma string colon {value})*)? "}}"'


def _members(name: str, pairs: Sequence[tuple[str, bool]]) -> list[str]:
    """Rules for members in order, each (text, whether it is required)."""
    rules = [f'{name}first{len(pairs)} ::= ""', f'{name}next{len(pairs)} ::= ""']
    for index, (pair, is_required) in enumerate(pairs):
        first, following = f"{pair} {name}next{index + 1}", f"comma {pair} {name}next{index + 1}"
        if not is_required:
            first += f" | {name}first{index + 1}"
            following += f" | {name}next{index + 1}"
        rules += [f"{name}first{index} ::= {first}", f"{name}next{index} ::= {following}"]
    return rules


def _array(item: str, least: int, most: int | None) -> str:
    if most == 0:
        return '"[]"'
    rest = f"(comma {item}){_repeat(max(least - 1, 0), None if most is None else most - 1)}"
    return f'"[" {item} {rest} "]"' if least else f'"[" ({item} {rest})? "]"'


def _repeat(least: int, most: int | None) -> str:
    return "*" if (least, most) == (0, None) else f"{{{least},{'' if most is None else most}}}"


def _bounds(node: JsonObject, lower: str, upper: str, at: str) -> tuple[int, int | None]:
    least = _count(node.get(lower, 0), at)
    most = _count(node[upper], at) if upper in node else None
    if most is not None and most < least:
        raise UnsupportedSchemaError(f"{at} has {upper} below {lower}")
    return least, most


def _count(value: JsonValue, at: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_REPEATS:
        raise UnsupportedSchemaError(f"{at} has a bound that is not 0 to {_MAX_REPEATS}")
    return value


def _literals(node: JsonObject, at: str) -> str:
    """The values of enum or const that the node's other keywords allow."""
    values = [node["const"]] if "const" in node else node["enum"]
    beside = sorted(set(node) - _ANNOTATIONS - {"const", "enum", "type"})
    if beside or not isinstance(values, list) or ("const" in node and "enum" in node):
        raise UnsupportedSchemaError(f"{at} has enum or const beside other keywords")
    kinds = _types(node, at) if "type" in node else _TYPES
    allowed = [v for v in values if any(_IS[kind](v) for kind in kinds)]
    if not allowed:
        raise UnsupportedSchemaError(f"{at} allows no value")
    compact = [json.dumps(v, ensure_ascii=False, separators=(",", ":")) for v in allowed]
    return " | ".join(_quoted(text) for text in compact)


_IS: Final[Mapping[str, Callable[[JsonValue], bool]]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}


def _types(node: JsonObject, at: str) -> Sequence[str]:
    """The types a node allows; without `type`, the one its keywords speak of, or any."""
    kinds = node.get("type")
    if kinds is None:
        spoken_of = {kind for keyword, kind in _TYPE_OF_KEYWORD.items() if keyword in node}
        return sorted(spoken_of) or ["value"]
    listed = [kinds] if isinstance(kinds, str) else kinds
    if not isinstance(listed, list) or not listed or not all(kind in _TYPES for kind in listed):
        raise UnsupportedSchemaError(f"{at} has a type out of no JSON type")
    return [str(kind) for kind in listed]


def _schemas(node: JsonObject, keyword: str, at: str) -> Sequence[JsonValue]:
    branches = node[keyword]
    if not isinstance(branches, list) or not branches:
        raise UnsupportedSchemaError(f"{at} needs an array of schemas as {keyword!r}")
    return branches


def _resolve(schema: JsonValue, pointer: str) -> JsonValue:
    """What a local JSON pointer (RFC 6901) such as #/$defs/name points to."""
    if not pointer.startswith("#"):
        raise UnsupportedSchemaError(f"{pointer!r} is not inside the schema")
    node = schema
    for part in filter(None, pointer[1:].split("/")):
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(node, dict) or key not in node:
            raise UnsupportedSchemaError(f"{pointer!r} points to nothing")
        node = node[key]
    return node


def _quoted(text: str) -> str:
    """The text as the grammar writes it.

    Characters beyond ASCII are written as classes: xgrammar prints what it reads as \\xdf and reads
    that again together with hexadecimal digits that follow.
    """
    parts = [
        f"[{part}]" if not part.isascii() else f'"{_escaped(part)}"'
        for part in re.findall(r"[\x00-\x7f]+|[^\x00-\x7f]", text)
    ]
    return " ".join(parts)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
