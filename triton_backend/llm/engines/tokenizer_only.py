"""No engine: a model that only applies its chat template and splits text into tokens.

NVIDIA's stock models take text; such a model beside them makes it of a conversation.
"""

from collections.abc import Sequence
from typing import NoReturn

from ..errors import EngineFailed, InvalidRequest
from .protocol import EngineStats, SequenceHandle, SequenceParams, Sink

_REFUSAL = "This model has a tokenizer and a chat template only: it generates nothing."


class TokenizerOnly:
    """Refuses every sequence."""

    capabilities: frozenset[str] = frozenset()
    is_alive = True

    def check(self, params: SequenceParams) -> NoReturn:
        """Raise InvalidRequest: it has no weights."""
        raise InvalidRequest(_REFUSAL, param="model")

    def submit(self, ids: Sequence[int], params: SequenceParams, sink: Sink) -> SequenceHandle:
        """Raise EngineFailed: nothing passes `check`."""
        raise EngineFailed(_REFUSAL)

    def stats(self) -> EngineStats:
        """Nothing ever runs."""
        return EngineStats()

    def close(self, timeout_s: float) -> None:
        """Nothing is open."""
