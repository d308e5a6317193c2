"""Tensors of a request, as Triton's Python backend hands them over."""

from collections.abc import Sequence

import numpy as np

from triton_backend.llm.contract import INPUTS, Tensor

_TYPES = {
    "BYTES": np.object_,
    "INT32": np.int32,
    "FP32": np.float32,
    "BOOL": np.bool_,
    "UINT64": np.uint64,
}
Value = str | bytes | int | float | bool


def tensors(**values: Value | Sequence[Value]) -> dict[str, Tensor]:
    """Arrays of shape [1, n] by input name."""
    return {name: tensor(name, value) for name, value in values.items()}


def tensor(name: str, value: Value | Sequence[Value]) -> Tensor:
    """One array of shape [1, n]."""
    row = [value] if isinstance(value, str | bytes | int | float) else value
    items = [item.encode() if isinstance(item, str) else item for item in row]
    return np.array([items], dtype=_TYPES[INPUTS[name][0]])
