"""The KV cache's figures in TensorRT-LLM's iteration statistics.

The names are not part of its stable interface, so each may be missing: then the last one stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class KvCache:
    """Blocks as last told; told only while something runs."""

    blocks_used: int = 0
    blocks_total: int = 0

    def take(self, stats: object) -> None:
        """Remember one iteration's figures."""
        cache = stats.get("kvCacheStats") if isinstance(stats, Mapping) else None
        if isinstance(cache, Mapping):
            self.blocks_used = _count(cache, "usedNumBlocks", self.blocks_used)
            self.blocks_total = _count(cache, "maxNumBlocks", self.blocks_total)


def _count(cache: Mapping[str, object], name: str, otherwise: int) -> int:
    value = cache.get(name)
    return value if isinstance(value, int) else otherwise
