"""Whether there is room for one more model: by their number and by what their processes hold."""

from __future__ import annotations

from collections.abc import Sequence

from frontend_api.domain.errors import ModelNotReady
from frontend_api.domain.model import ServedModel
from frontend_api.settings import ModelSettings


class ModelRoom:
    """The limits on what may be loaded at once."""

    def __init__(self, settings: ModelSettings) -> None:
        """Use the limits of [models]."""
        self._max_models = settings.max_loaded_models
        self._max_bytes = settings.max_loaded_bytes

    def is_short(self, model: ServedModel, others: Sequence[ServedModel]) -> bool:
        """Whether one of the other loaded models must go for this one.

        A model that was never loaded has not told what it needs: it counts once it is loaded.
        Raises ModelNotReady for one that needs more than all may have.
        """
        if not self._max_bytes:
            return bool(self._max_models) and len(others) >= self._max_models
        needed = model.memory_bytes or 0
        if needed > self._max_bytes:
            raise ModelNotReady(
                f"The model `{model.name}` needs {needed:,} bytes of memory, and "
                f"models.max_loaded_bytes is {self._max_bytes:,}."
            )
        held = sum(other.memory_bytes or 0 for other in others)
        is_full = bool(self._max_models) and len(others) >= self._max_models
        return is_full or (bool(others) and held + needed > self._max_bytes)
