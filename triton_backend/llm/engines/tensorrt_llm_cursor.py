"""The new tokens of a sequence, read off TensorRT-LLM's growing result.

`token_ids` holds all tokens so far. A stop token is appended while the sequence streams and taken
off again in the last response, and the PyTorch flow leaves the end token on; so a stop token at
the end is held back until the next response shows whether it stays.
"""

from collections.abc import Collection
from typing import Any, Final

from ..errors import EngineFailed
from .protocol import Delta, Finish, TopLogProbs

_FINISH: Final[dict[str | None, Finish]] = {
    "stop": "stop",
    "length": "length",
    "cancelled": "cancelled",
}


class Cursor:
    """Where reading one sequence has come to; `num_top` likeliest tokens are told of each."""

    def __init__(
        self, stop_token_ids: Collection[int], *, has_log_probs: bool, num_top: int = 0
    ) -> None:
        self._stops = frozenset(stop_token_ids)
        self._has_log_probs = has_log_probs or num_top > 0
        self._num_top = num_top
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
        entries = self._entries(output, len(new), end) if self._has_log_probs else []
        log_probs = tuple(map(_log_prob, entries, new))
        tops = tuple(_likeliest(one, self._num_top) for one in entries) if self._num_top else ()
        self._position = max(self._position, end)
        if result.finished and finish is None:
            return Delta(error=EngineFailed("The engine did not finish this request in time."))
        cached = _cached(result) if finish else 0
        return Delta(tuple(new), log_probs, finish, cached_tokens=cached, top_log_probs=tops)

    def _entries(self, output: Any, num_new: int, end: int) -> list[Any]:
        found = list(output.logprobs[self._position : end]) if num_new else []
        if len(found) != num_new:
            raise EngineFailed("The engine left out log probabilities.")
        return found


def _log_prob(entry: Any, token_id: int) -> float:
    """Of the chosen token: a number, or found in a table by token id."""
    if isinstance(entry, dict):
        if token_id not in entry:
            raise EngineFailed("The engine left out the chosen token's log probability.")
        entry = entry[token_id].logprob
    return float(entry)


def _likeliest(entry: Any, num_top: int) -> TopLogProbs:
    """Of a table that holds the likeliest tokens, and the chosen one if it is not among them."""
    if not isinstance(entry, dict) or len(entry) < num_top:
        raise EngineFailed("The engine left out the likeliest tokens.")
    found = [(int(token_id), float(one.logprob)) for token_id, one in entry.items()]
    return tuple(sorted(found, key=lambda pair: -pair[1])[:num_top])


def _cached(result: Any) -> int:
    return int(getattr(result, "cached_tokens", 0) or 0)
