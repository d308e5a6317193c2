"""JSON schemas made by chance, the same ones every time, out of what guided decoding supports."""

import random
from typing import Any

Schema = dict[str, Any]
_REF: Schema = {"$ref": "#/$defs/tree"}
_LEAF: Schema = {"type": "boolean"}
_TREE: Schema = {"anyOf": [_LEAF, {"type": "array", "items": _REF, "maxItems": 2}]}


def made_schema(number: int) -> Schema:
    """Return the schema of this number; one in five refers to itself.

    Odd ones have odd names. Even ones have keywords that xgrammar's own conversion enforces; it
    cannot have names with quotes beside them.
    """
    maker = _Maker(random.Random(number), is_odd=bool(number % 2))
    schema = maker.object_schema(depth=2)
    if number % 5 == 0:
        schema["$defs"] = {"tree": _TREE}
        schema["properties"]["tree"] = _REF
        schema["required"].append("tree")
    return schema


class _Maker:
    def __init__(self, chance: random.Random, *, is_odd: bool) -> None:
        self._chance = chance
        self._is_odd = is_odd

    def object_schema(self, depth: int) -> Schema:
        odd = ("größe", 'a "b"', "x\\y", "") if self._is_odd else ()
        names = self._chance.sample(["name", "is_ready", "kids", *odd], self._chance.randint(1, 3))
        return {
            "type": "object",
            "description": "made by chance",
            "properties": {name: self._any(depth - 1) for name in names},
            "required": [name for name in names if self._chance.random() < 0.7],
            "additionalProperties": self._chance.random() < 0.3,
        }

    def _array(self, depth: int) -> Schema:
        least = self._chance.randint(0, 2)
        most = least + self._chance.randint(0, 2)
        items = self._any(depth - 1)
        return {"type": "array", "items": items, "minItems": least, "maxItems": most}

    def _any(self, depth: int) -> Schema:
        if depth > 0 and self._chance.random() < 0.4:
            return self._chance.choice([self.object_schema, self._array])(depth)
        return self._chance.choice(self._scalars())

    def _scalars(self) -> list[Schema]:
        scalars: list[Schema] = [
            {"type": "string", "maxLength": self._chance.randint(0, 12)},
            {"type": "string", "minLength": 2, "maxLength": self._chance.randint(2, 9)},
            {"type": "integer"},
            {"type": "number"},
            {"type": ["boolean", "null"]},
            {"enum": ["rot", 'a "quote"', 7, None, {"k": [1, {}]}]},
            {"const": "ein\nWort"},
            {"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 4}]},
        ]
        if not self._is_odd:
            scalars.append({"type": "string", "pattern": "^[a-c]{2,4}$"})
            scalars.append({"type": "integer", "minimum": -3, "maximum": 900})
        return scalars
