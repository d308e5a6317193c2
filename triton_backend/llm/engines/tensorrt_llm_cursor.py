"""The new tokens of a sequence, read off TensorRT-LLM's growing result.

`token_ids` holds all tokens so far. A stop token is appended while the sequence streams and taken
off again in the last response, and the PyTorch flow leaves the end token on; so a stop token at
the end is held back until the next response shows whether it stays.
"""

from collections.abc import Collection
from typing import Any, Final

from ..errors import EngineFailed
from .protocol import Delta, Finish

_FINISH: Final[dict[str | None, Finish]] = {
    "stop": "stop",
    "length": "length",
    "cancelled": "cancelled",
}


class Cursor:
    """Where reading one sequence has come to."""

    def __init__(self, stop_token_ids: Collection[int], *, has_log_probs: bool) -> None:
        self._stops = frozenset(stop_token_ids)
        self._has_log_probs = has_log_probs
        self._position = 0

    def read(self, result: Any) -> Delta:
        """What is new in a RequestOutput with one sequence."""
        output = result.outputs[0]
        ids = output.token_ids or []
        finish = _FINISH.get(output.finish_reason) if result.finished else None
        end = len(ids)
        if end > self._position and ids[end - 1] in self._stops and finish in (None, "stop"):
            end -= 1
        new = ids[self._position : end]
        log_probs = self._log_probs(output, new, end) if self._has_log_probs else ()
        self._position = max(self._position, end)
        if result.finished and finish is None:
            return Delta(error=EngineFailed("The engine did not finish this request in time."))
        return Delta(tuple(new), log_probs, finish, cached_tokens=_cached(result) if finish else 0)

    def _log_probs(self, output: Any, new: list[int], end: int) -> tuple[float, ...]:
        found = output.logprobs[self._position : end] if new else []
        if len(found) != len(new):
            raise EngineFailed("The engine left out log probabilities.")
        return tuple(_log_prob(entry, one) for entry, one in zip(found, new, strict=True))


def _log_prob(entry: Any, token_id: int) -> float:
    """Of the chosen token: engines give the number, the PyTorch flow a table by token id."""
    if isinstance(entry, dict):
        if token_id not in entry:
            raise EngineFailed("The engine left out the chosen token's log probability.")
        entry = entry[token_id].logprob
    return float(entry)


def _cached(result: Any) -> int:
    return int(getattr(result, "cached_tokens", 0) or 0)
