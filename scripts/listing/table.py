"""Models as lines of a terminal."""

from collections.abc import Sequence
from typing import Final

from scripts.listing.model import Model

_HEADER: Final = (
    "model", "state", "engine", "quantization", "context", "memory", "load", "aliases", "reason",
)  # fmt: skip
_GAP: Final = "  "


def render(models: Sequence[Model]) -> str:
    """Return the table, its columns as wide as their widest cell."""
    rows = [_HEADER, *(_cells(model) for model in models)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _cells(model: Model) -> tuple[str, ...]:
    memory = model.memory_bytes
    return (
        model.name,
        model.state,
        model.engine or "-",
        model.quantization or "-",
        "-" if model.context_length is None else f"{model.context_length:,}",
        "-" if memory is None else f"{memory / 1e6:,.0f} MB",
        _load(model),
        ", ".join(model.aliases) or "-",
        model.reason or "",
    )


def _load(model: Model) -> str:
    """Return how long its load took, or has taken so far: of the last one, in per cent of it."""
    if model.loading_seconds is None:
        return "-" if model.load_seconds is None else f"{model.load_seconds:.1f} s"
    so_far = f"{model.loading_seconds:.1f} s so far"
    return so_far if model.loading_percent is None else f"{so_far}, {model.loading_percent} %"
