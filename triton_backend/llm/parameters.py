"""config.pbtxt's parameters, read strictly: an unknown one refuses the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .errors import LoadError

_DEFAULT_MAX_WAITING: Final = 128
# Parameters that Triton's Python backend itself reads.
_TRITON_OWN: Final = frozenset({"EXECUTION_ENV_PATH", "FORCE_CPU_ONLY_INPUT_TENSORS"})


@dataclass(frozen=True, slots=True)
class ModelParameters:
    """`max_waiting`: sequences that may wait for a place before requests are refused."""

    max_waiting: int = _DEFAULT_MAX_WAITING


def read_parameters(parameters: Mapping[str, str]) -> ModelParameters:
    """The parameters by name; LoadError names the one that is wrong."""
    values = {name: text for name, text in parameters.items() if name not in _TRITON_OWN}
    text = values.pop("max_waiting", str(_DEFAULT_MAX_WAITING))
    if values:
        raise LoadError(f"config.pbtxt: unknown parameter {sorted(values)[0]}.")
    if not text.isascii() or not text.isdigit():
        raise LoadError(f"config.pbtxt: max_waiting must be a whole number, not {text!r}.")
    return ModelParameters(max_waiting=int(text))
