"""JSON schemas as grammars: what is refused, what is left to xgrammar, what the rules say."""

import pytest

from triton_backend.llm.json_grammar import UnsupportedSchemaError, schema_grammar
from triton_backend.llm.json_values import JsonValue


def rules(schema: JsonValue) -> dict[str, str]:
    grammar = schema_grammar(schema)
    assert grammar is not None
    lines = [line.split(" ::= ", 1) for line in grammar.splitlines() if line]
    return {line[0]: line[1] for line in lines}


def test_no_rule_repeats_white_space() -> None:
    grammar = schema_grammar({"type": "object", "properties": {"a": {"type": "array"}}})

    assert grammar is not None
    assert '" "*' not in grammar
    assert r"\n" not in grammar


def test_optional_members_may_be_left_out_and_required_ones_may_not() -> None:
    found = rules({"properties": {"a": {"type": "null"}, "b": {"type": "null"}}, "required": ["b"]})

    first = next(body for name, body in found.items() if name.endswith("first0"))
    last = next(body for name, body in found.items() if name.endswith("first1"))
    assert first.count("|") == 1
    assert "|" not in last


def test_a_member_that_is_only_required_has_any_value() -> None:
    assert any('\\"x\\"" colon value' in body for body in rules({"required": ["x"]}).values())


def test_a_property_may_be_named_like_a_keyword() -> None:
    assert schema_grammar({"properties": {"not": {"type": "string"}, "$ref": {"type": "null"}}})


def test_enum_keeps_the_values_of_its_type() -> None:
    assert rules({"type": "integer", "enum": ["a", 1, True, 2]})["n0"] == '"1" | "2"'


def test_recursion_through_a_value_is_a_rule_that_names_itself() -> None:
    schema: JsonValue = {"$ref": "#/$defs/t", "$defs": {"t": {"items": {"$ref": "#/$defs/t"}}}}

    found = rules(schema)

    assert found["root"] == "n0"
    assert found["n0"] == "n1"
    assert "n1" in found["n2"]


@pytest.mark.parametrize("keyword", ["pattern", "format", "minimum", "exclusiveMaximum"])
def test_what_xgrammar_alone_enforces_is_left_to_it(keyword: str) -> None:
    assert schema_grammar({"properties": {"a": {"type": "string", keyword: "1"}}}) is None


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"not": {"type": "string"}}, "'not'"),
        ({"properties": {"a": {"oneOf": [{}]}}}, "#/properties/a uses 'oneOf'"),
        ({"uniqueItems": True}, "'uniqueItems'"),
        ({"allOf": [{"type": "null"}, {"type": "null"}]}, "more than one"),
        ({"anyOf": []}, "array of schemas"),
        ({"anyOf": [{}], "type": "string"}, "beside 'anyOf'"),
        ({"$ref": "#/$defs/none"}, "points to nothing"),
        ({"$ref": "other.json"}, "not inside the schema"),
        ({"$ref": "#"}, "without end"),
        ({"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "without end"),
        ({"type": "text"}, "no JSON type"),
        ({"type": []}, "no JSON type"),
        ({"enum": []}, "allows no value"),
        ({"type": "string", "enum": [1]}, "allows no value"),
        ({"minItems": 3, "maxItems": 2}, "below"),
        ({"maxLength": -1}, "bound"),
        ({"maxLength": 10**9}, "bound"),
        ({"maxItems": True}, "bound"),
        ({"required": ["a"], "additionalProperties": False}, "does not allow"),
        ({"properties": []}, "object of properties"),
        (False, "allows anything"),
        ([], "allows anything"),
    ],
)
def test_a_schema_that_no_grammar_holds_is_refused_by_name(schema: JsonValue, says: str) -> None:
    with pytest.raises(UnsupportedSchemaError, match=says):
        schema_grammar(schema)
