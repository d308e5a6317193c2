"""Typed, strict access to the tensors of one request.

A wrong value is an InvalidRequest that names its tensor: more than one value where one is
expected, invalid UTF-8, JSON that is none, numbers that are not finite or out of range.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from .contract import INPUTS, Tensor
from .errors import InvalidRequest
from .json_values import JsonObject, parse_json

Scalar: TypeAlias = bool | int | float | str | bytes

MAX_SEQUENCES: Final = 128  # OpenAI's limit of `n`
_INT32_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Range:
    """A closed interval of numbers; `is_open_below` leaves the lower end out."""

    low: float
    high: float
    is_open_below: bool = False

    def contains(self, value: float) -> bool:
        """Whether a finite value lies inside; NaN and infinities never do."""
        above = value > self.low if self.is_open_below else value >= self.low
        return math.isfinite(value) and above and value <= self.high

    def __str__(self) -> str:
        return (
            f"{'above' if self.is_open_below else 'at least'} {self.low:g}, at most {self.high:g}"
        )


RANGES: Final[Mapping[str, Range]] = {
    "max_tokens": Range(1, _INT32_MAX),
    "min_tokens": Range(0, _INT32_MAX),
    "num_return_sequences": Range(1, MAX_SEQUENCES),
    "temperature": Range(0, 100),
    "top_k": Range(0, _INT32_MAX),
    "top_p": Range(0, 1, is_open_below=True),
    "min_p": Range(0, 1),
    "repetition_penalty": Range(0.01, 100),
    "presence_penalty": Range(-2, 2),
    "frequency_penalty": Range(-2, 2),
    "seed": Range(0, 2**64),
    "end_id": Range(-1, _INT32_MAX),  # -1, NVIDIA's "no end id", means the model's own
    "top_logprobs": Range(0, 20),
}


class TensorReader:
    """Typed access to a request's tensors by name; a wrong value is an InvalidRequest naming it."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        unknown = sorted(tensors.keys() - INPUTS.keys())
        if unknown:
            raise InvalidRequest(
                f"Unknown input {unknown[0]}.", param=unknown[0], code="unknown_parameter"
            )
        self._tensors = tensors

    def has(self, name: str) -> bool:
        """Whether the client sent this input."""
        return name in self._tensors

    def text(self, name: str) -> str | None:
        """The string of a [1, 1] BYTES tensor."""
        value = self._scalar(name)
        return None if value is None else _decode(value, name)

    def texts(self, name: str) -> tuple[str, ...]:
        """The strings of a [1, n] BYTES tensor."""
        return tuple(_decode(value, name) for value in self._vector(name))

    def integer(self, name: str) -> int | None:
        """The number of a [1, 1] integer tensor, inside its range."""
        value = self._scalar(name)
        return None if value is None else int(_in_range(int(value), name))

    def integers(self, name: str) -> tuple[int, ...]:
        """The numbers of a [1, n] INT32 tensor."""
        return tuple(int(value) for value in self._vector(name))

    def number(self, name: str, default: float) -> float:
        """The number of a [1, 1] FP32 tensor, finite and inside its range."""
        value = self._scalar(name)
        return default if value is None else _in_range(float(value), name)

    def numbers(self, name: str) -> tuple[float, ...]:
        """The finite numbers of a [1, n] FP32 tensor."""
        values = tuple(float(value) for value in self._vector(name))
        if not all(math.isfinite(value) for value in values):
            raise InvalidRequest(f"{name} must hold finite numbers.", param=name)
        return values

    def switch(self, name: str, default: bool) -> bool:
        """The value of a [1, 1] BOOL tensor."""
        value = self._scalar(name)
        return default if value is None else bool(value)

    def json_objects(self, name: str) -> tuple[JsonObject, ...]:
        """The objects of a JSON array in a BYTES tensor; () when absent."""
        text = self.text(name)
        value = [] if text is None else parse_json(text, name)
        if not isinstance(value, list):
            raise InvalidRequest(f"{name} must be a JSON array of objects.", param=name)
        objects = [item for item in value if isinstance(item, dict)]
        if len(objects) != len(value):
            raise InvalidRequest(f"{name} must be a JSON array of objects.", param=name)
        return tuple(objects)

    def json_object(self, name: str) -> JsonObject:
        """The JSON object in a BYTES tensor; {} when absent."""
        text = self.text(name)
        value = {} if text is None else parse_json(text, name)
        if not isinstance(value, dict):
            raise InvalidRequest(f"{name} must be a JSON object.", param=name)
        return value

    def _vector(self, name: str) -> list[Scalar]:
        tensor = self._tensors.get(name)
        values: list[Scalar] = [] if tensor is None else tensor.reshape(-1).tolist()
        return values

    def _scalar(self, name: str) -> Scalar | None:
        values = self._vector(name)
        if name in self._tensors and len(values) != 1:
            raise InvalidRequest(f"{name} must hold exactly one value.", param=name)
        return values[0] if values else None


def _decode(value: object, name: str) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        raise InvalidRequest(f"{name} must be a string.", param=name, code="invalid_type")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest(f"{name} is not valid UTF-8.", param=name) from None


def _in_range(value: float, name: str) -> float:
    allowed = RANGES.get(name)
    if allowed is not None and not allowed.contains(value):
        raise InvalidRequest(f"{name} must be {allowed}, not {value}.", param=name)
    return value
