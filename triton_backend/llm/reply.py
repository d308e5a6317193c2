"""One response, and its arrays."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from .contract import OUTPUTS, Tensor


@dataclass(frozen=True, slots=True)
class Reply:
    """One response; an output whose field is None is left out of it."""

    text: str | None = None
    ids: Sequence[int] | None = None
    tokens: Sequence[bytes] | None = None
    sequence_index: int | None = None
    log_probs: Sequence[float] | None = None
    top_log_probs: str | None = None
    finish_reason: str | None = None
    stop_reason: str | None = None
    num_input_tokens: int | None = None
    num_cached_tokens: int | None = None
    num_output_tokens: int | None = None


_FIELDS: Final[Mapping[str, Callable[[Reply], object]]] = {
    "text_output": lambda reply: reply.text,
    "output_ids": lambda reply: reply.ids,
    "output_tokens": lambda reply: reply.tokens,
    "sequence_index": lambda reply: reply.sequence_index,
    "output_log_probs": lambda reply: reply.log_probs,
    "top_log_probs": lambda reply: reply.top_log_probs,
    "finish_reason": lambda reply: reply.finish_reason,
    "stop_reason": lambda reply: reply.stop_reason,
    "num_input_tokens": lambda reply: reply.num_input_tokens,
    "num_cached_tokens": lambda reply: reply.num_cached_tokens,
    "num_output_tokens": lambda reply: reply.num_output_tokens,
}
_NUMPY_TYPES: Final = {"BYTES": np.object_, "INT32": np.int32, "FP32": np.float32}


def write_reply(reply: Reply, wanted: Collection[str]) -> dict[str, Tensor]:
    """The reply's arrays of shape [1, n], of the wanted outputs only."""
    arrays: dict[str, Tensor] = {}
    for name, field in _FIELDS.items():
        value = field(reply) if name in wanted else None
        if value is None:
            continue
        datatype, dims = OUTPUTS[name]
        value = value.encode("utf-8") if isinstance(value, str) else value
        row = [value] if dims == (1,) else list(value)  # type: ignore[call-overload]
        arrays[name] = np.array(row, dtype=_NUMPY_TYPES[datatype]).reshape(1, -1)
    return arrays
