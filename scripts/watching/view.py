"""The figures as what `rich` draws: tables that get narrower with the terminal."""

from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scripts.watching.figures import Figures, ModelFigures, Traffic

# Narrower, the models' table leaves out what can be asked with scripts/models.
_WIDE: Final = 90
_COLORS: Final = {"ready": "green", "loading": "yellow", "failed": "red", "ok": "green"}
_BARS: Final = "▁▂▃▄▅▆▇█"
_MINUTE_S, _SECOND_MS, _THOUSAND, _TEN = 60.0, 1000.0, 1000.0, 10.0


def draw(
    figures: Figures, url: str, width: int, history: Sequence[float] = (), trouble: str = ""
) -> RenderableType:
    """Return one screen. history: tokens per second, the latest last; trouble: what failed now."""
    parts: list[RenderableType] = [_heading(figures, url, trouble), "", _traffic(figures.traffic)]
    if bars := sparkline(history[-max(10, width - 16) :]):
        parts.append(Text.assemble(("tokens/s out   ", "dim"), (bars, "cyan")))
    parts += ["", _times(figures), "", _models(figures.models, width), "", _below(figures)]
    return Group(*parts)


def sparkline(values: Sequence[float]) -> str:
    """Return a bar for each value, the highest of them full."""
    highest = max(values, default=0.0)
    if highest <= 0:
        return ""
    return "".join(_BARS[round(value / highest * (len(_BARS) - 1))] for value in values)


def seconds(value: float | None) -> str:
    """Return a time as people read it; "-" where there is none."""
    if value is None:
        return "-"
    if value < 1:
        return (
            f"{value * _SECOND_MS:.3g} ms" if value < _TEN / _SECOND_MS else f"{value * 1e3:.0f} ms"
        )
    return f"{value:.1f} s" if value < _MINUTE_S else f"{value / _MINUTE_S:.1f} min"


def number(value: float) -> str:
    """Return a rate: one decimal below ten, thousands parted above."""
    return f"{value:.1f}" if value < _TEN else f"{value:,.0f}"


def size(value: float | None) -> str:
    """Return an amount of memory."""
    if value is None:
        return "-"
    return f"{value / 1e9:.1f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB"  # noqa: PLR2004


def _heading(figures: Figures, url: str, trouble: str) -> Text:
    state = ("not ready: " + figures.reason, "bold red") if figures.reason else ("ready", "green")
    if trouble:
        state = (trouble, "bold red")
    return Text.assemble((f"Conch {figures.version}", "bold"), f" at {url}  ", state)


def _traffic(traffic: Traffic) -> Table:
    failing = "red" if traffic.error_share > 0 else ""
    rows = (
        ("in a second", [
            (f"{number(traffic.requests_per_s)} requests", ""),
            (f"{number(traffic.generations_per_s)} generations", ""),
            (f"{number(traffic.written_per_s)} tokens out", "bold"),
            (f"{number(traffic.read_per_s)} in ({traffic.cached_share:.0%} cached)", ""),
            (f"{number(traffic.refused_per_s)} refused", "yellow" if traffic.refused_per_s else ""),
            (f"{traffic.error_share:.1%} errors", failing),
        ]),
        ("now", [
            (f"{traffic.running} running", "bold"),
            (f"{traffic.waiting} in line", "yellow" if traffic.waiting else ""),
            (f"{traffic.http_in_flight} HTTP requests", ""),
            (f"{traffic.sockets} WebSockets", ""),
        ]),
    )  # fmt: skip
    table = _grid()
    for name, cells in rows:
        table.add_row(name, Text("   ").join(Text(*cell) for cell in cells))
    return table


def _times(figures: Figures) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(f"last {figures.seconds:.0f} s", style="dim", no_wrap=True)
    for heading in ("half", "95 %", "99 %"):
        table.add_column(heading, justify="right", no_wrap=True)
    for times in figures.times:
        table.add_row(times.name, *map(seconds, (times.half, times.p95, times.p99)))
    return table


def _models(models: Sequence[ModelFigures], width: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("model", overflow="ellipsis", no_wrap=True, max_width=40)
    table.add_column("state", no_wrap=True)
    for heading in ("running", "in line", "tokens/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    is_wide = width >= _WIDE
    if is_wide:
        table.add_column("first, 95 %", justify="right", no_wrap=True)
        table.add_column("memory", justify="right", no_wrap=True)
        table.add_column("reason", overflow="ellipsis", no_wrap=True)
    for model in models:
        # As Text: rich takes what stands in brackets in a plain string for its markup.
        more = (seconds(model.first_p95), size(model.memory_bytes), Text(model.reason))
        table.add_row(
            Text(model.name),
            Text(model.state, _COLORS.get(model.state, "")),
            str(model.running),
            str(model.waiting),
            number(model.written_per_s),
            *(more if is_wide else ()),
        )
    return table


def _below(figures: Figures) -> Table:
    store, process = figures.store, figures.process
    keys = store.keys or {}
    told = {
        "store": [
            store.state,
            f"{store.writes_waiting} writes waiting",
            f"{number(store.operations_per_s)} operations/s",
            f"95 % in {seconds(store.p95)}",
            f"{store.failed_share:.1%} failed",
            *([] if store.disk_free_share is None else [f"{store.disk_free_share:.0%} disk left"]),
        ],
        "keys": ["unknown"]
        if store.keys is None
        else [f"{n} {state}" for state, n in keys.items()],
        "API": [
            f"{process.cpu:.2f} processors",
            size(process.memory_bytes),
            f"{process.open_files} files",
            f"loop 99 % within {seconds(process.loop_lag_p99)}",
        ],
    }
    table = _grid()
    for name, cells in told.items():
        bad = name == "store" and (store.state != "ok" or store.writes_waiting > 0)
        table.add_row(name, Text("   ".join(cells) or "none", "red" if bad else ""))
    return table


def _grid() -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    return table
