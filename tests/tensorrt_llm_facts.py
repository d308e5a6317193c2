"""What is known of TensorRT-LLM's interface (tests/facts), for the double and the name checks."""

import json
from functools import cache
from pathlib import Path
from typing import Any

FACTS = Path(__file__).parent / "facts" / "tensorrt_llm_api.json"


@cache
def entries() -> dict[str, dict[str, Any]]:
    """Every entry by its id."""
    content = json.loads(FACTS.read_text(encoding="utf-8"))
    return {entry["id"]: entry for entry in content["entries"]}


def names(entry_id: str, *keys: str) -> frozenset[str]:
    """The names in these lists of an entry; a list holds names, or objects with one."""
    entry = entries()[entry_id]
    found = [item for key in keys for item in entry[key]]
    return frozenset(item if isinstance(item, str) else item["name"] for item in found)


def flags(entry_id: str) -> frozenset[str]:
    """The command line flags of a tool."""
    return frozenset(flag.strip() for name in names(entry_id, "flags") for flag in name.split(","))
