"""How many tokens of a prompt OpenVINO's prefix cache surely holds: the engine does not say.

How it works: the cache keeps whole blocks of tokens by what is in and before them, and forgets
the one that was used longest ago when it needs room. So a block is still there if fewer blocks
were taken since it was last used than the cache has room for. Every figure is a lower bound: a
sequence counts when it has finished; half of the cache is taken as the room, and all is
forgotten when more than that is in use, since then sequences may be put off and computed again;
of blocks that are partly filled, which the cache finds sometimes, none counts.
A contract test compares this with the steps a prompt takes at one token a step.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final

import numpy as np

# Of OpenVINO GenAI's KV cache on CPUs; a contract test fails if it changes.
BLOCK_TOKENS: Final = 32
_KEY_BYTES: Final = 16


class PrefixRecord:
    """Remembers what has been computed; times are in blocks taken since the engine started."""

    def __init__(self, num_blocks: int) -> None:
        self._room = num_blocks // 2
        self._used_at: OrderedDict[bytes, int] = OrderedDict()

    def known_tokens(self, ids: Sequence[int], now: int) -> int:
        """How many of the prompt's first tokens are cached at least; the last one never is."""
        num_blocks = 0
        for key in _block_keys(ids):
            used_at = self._used_at.get(key)
            if used_at is None or now - used_at >= self._room:
                break
            num_blocks += 1
        return max(0, min(num_blocks * BLOCK_TOKENS, len(ids) - 1))

    def remember(self, ids: Sequence[int], used_at: int) -> None:
        """These tokens were computed, or used, by a sequence that began at this time."""
        for key in _block_keys(ids):
            self._used_at[key] = max(used_at, self._used_at.pop(key, used_at))
        while len(self._used_at) > self._room:
            self._used_at.popitem(last=False)

    def forget_all(self) -> None:
        """Nothing is sure any more."""
        self._used_at.clear()


def _block_keys(ids: Sequence[int]) -> Iterator[bytes]:
    """A key of each whole block, made of all tokens up to its end."""
    key = b""
    tokens = np.asarray(ids, dtype=np.int64)
    for start in range(0, len(tokens) - BLOCK_TOKENS + 1, BLOCK_TOKENS):
        block = tokens[start : start + BLOCK_TOKENS].tobytes()
        key = blake2b(key + block, digest_size=_KEY_BYTES).digest()
        yield key
