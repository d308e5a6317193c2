"""Prints what a GGUF file says of itself, as JSON; runs in the build environment.

`python -m scripts.adding.gguf_facts FILE`; the fields are those of inspection.Facts.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from gguf import GGUFReader
from gguf.constants import LlamaFileType

_EOS: Final = ("eos", "eot", "eom")


def main(path: Path) -> int:
    """Print the facts, or {"error": a sentence}; the exit status."""
    try:
        facts = _facts(path)
    except (ValueError, IndexError, KeyError, OSError) as error:
        reason = str(error).strip().splitlines()[-1:] or ["it ends too soon"]
        facts = {"error": f"{path.name} is no whole GGUF file: {reason[0].rstrip('.')}."}
    print(json.dumps(facts))
    return 1 if "error" in facts else 0


def _facts(path: Path) -> dict[str, object]:
    reader = GGUFReader(path)

    def value(name: str) -> Any:
        field = reader.fields.get(name)
        return None if field is None else field.contents()

    kind = value("general.architecture")
    layers, heads = value(f"{kind}.block_count"), value(f"{kind}.attention.head_count")
    kv_heads = value(f"{kind}.attention.head_count_kv") or heads
    head_size = (value(f"{kind}.attention.key_length")) or (
        value(f"{kind}.embedding_length") // heads
    )
    ids = {value(f"tokenizer.ggml.{name}_token_id") for name in _EOS} - {None}
    return {
        "architecture": kind,
        "context_length": value(f"{kind}.context_length"),
        "eos_token_ids": sorted(ids),
        "chat_template": value("tokenizer.chat_template"),
        "num_parameters": sum(int(tensor.n_elements) for tensor in reader.tensors),
        "num_bytes": path.stat().st_size,
        "kv_values": 2 * layers * kv_heads * head_size,
        "quantization": _name_of(value("general.file_type")),
    }


def _name_of(file_type: int | None) -> str:
    if file_type is None:
        return "gguf"
    name: str = LlamaFileType(file_type).name
    return name.removeprefix("MOSTLY_").removeprefix("ALL_").lower()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
