"""engine.json's `options`: read strictly, since an unknown name is a typing error."""

from collections.abc import Mapping
from typing import TypeVar

from ..errors import LoadError
from ..json_values import JsonValue

Options = TypeVar("Options")


def read_options(kind: type[Options], options: Mapping[str, JsonValue]) -> Options:
    """A dataclass of positive numbers and switches, filled from engine.json's options."""
    defaults = kind()
    values = {name: _read(name, value, vars(defaults)) for name, value in options.items()}
    return kind(**values)


def _read(name: str, value: JsonValue, defaults: Mapping[str, object]) -> JsonValue:
    if name not in defaults:
        raise LoadError(f"engine.json: the engine has no option {name}.")
    default = defaults[name]
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise LoadError(f"engine.json: option {name} must be true or false.")
        return value
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        raise LoadError(f"engine.json: option {name} must be a number, not below 0.")
    if isinstance(default, int) and not isinstance(value, int):
        raise LoadError(f"engine.json: option {name} must be a whole number.")
    return value
