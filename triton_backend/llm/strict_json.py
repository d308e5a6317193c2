"""JSON objects read strictly: a missing key, an unknown one or another type is an error by name.

TypeError and ValueError name the key; whoever knows the file adds its name.
"""

from collections.abc import Collection, Mapping

from .json_values import JsonValue

Table = Mapping[str, JsonValue]


def table(
    value: JsonValue, name: str, keys: Collection[str], optional: Collection[str] = ()
) -> dict[str, JsonValue]:
    """An object with these keys, and none but them and the optional ones."""
    if not isinstance(value, dict):
        raise TypeError(f"{name} must be an object")
    if missing := sorted(set(keys) - set(optional) - value.keys()):
        raise ValueError(f"{name} lacks {', '.join(missing)}")
    if unknown := sorted(value.keys() - set(keys)):
        raise ValueError(f"{name} has the unknown key {', '.join(unknown)}")
    return value


def text(table: Table, key: str) -> str:
    """A string that is not empty."""
    value = table[key]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{key} must be a non-empty string")
    return value


def optional_text(table: Table, key: str) -> str | None:
    """A string that is not empty, or null."""
    return None if table[key] is None else text(table, key)


def count(table: Table, key: str) -> int:
    """A whole number, not below 0."""
    value = table[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{key} must be a whole number")
    return value


def texts(table: Table, key: str) -> list[str]:
    """A list of strings, none of them empty."""
    value = table[key]
    if not isinstance(value, list):
        raise TypeError(f"{key} must be a list of strings")
    return [text({key: item}, key) for item in value]


def counts(table: Table, key: str) -> list[int]:
    """A list of whole numbers, not below 0."""
    value = table[key]
    if not isinstance(value, list):
        raise TypeError(f"{key} must be a list of whole numbers")
    return [count({key: item}, key) for item in value]


def text_table(table: Table, key: str) -> dict[str, str]:
    """An object whose values are strings, none of them empty."""
    value = table[key]
    if not isinstance(value, dict):
        raise TypeError(f"{key} must be an object of strings")
    return {name: text(value, name) for name in value}


def free_table(table: Table, key: str) -> dict[str, JsonValue]:
    """An object of anything."""
    value = table[key]
    if not isinstance(value, dict):
        raise TypeError(f"{key} must be an object")
    return value
