"""A record as a picture, and as a page with the picture, its figures and nothing from elsewhere.

The only place that knows matplotlib, which the `bench` extra brings; serving goes without.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import jinja2
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from scripts.benchmark.figures import Figures
from scripts.benchmark.record import Record
from scripts.benchmark.table import NAMES

_SIZE_INCHES: Final = (11.0, 3.9)
_DPI: Final = 110
# Told apart in grey as well, by their markers; the colours are Okabe and Ito's.
_LOOKS: Final[Mapping[str, tuple[str, str]]] = {
    "engine": ("#009e73", "o"),
    "triton": ("#0072b2", "s"),
    "http": ("#d55e00", "^"),
}
_PAGE: Final = Path(__file__).with_name("report.html")


def write_png(record: Record, path: Path) -> None:
    """Write the picture, 1210 pixels wide."""
    # Without the version and the date: the same figures are the same file.
    _draw(record).savefig(path, format="png", dpi=_DPI, metadata={"Software": None})


def write_html(record: Record, path: Path) -> None:
    """Write the page."""
    text = io.StringIO()
    _draw(record).savefig(text, format="svg", metadata={"Date": None})
    picture = text.getvalue()
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        _PAGE.read_text(encoding="utf-8")
    )
    path.write_text(
        page.render(
            record=record,
            names=NAMES,
            steps=steps_of(record),
            picture=picture[picture.index("<svg") :],
        ),
        encoding="utf-8",
    )


def steps_of(record: Record) -> Sequence[str]:
    """Return the steps that were measured, from the engine outwards."""
    return [step for step in NAMES if any(run.step == step for run in record.runs)]


def _draw(record: Record) -> Figure:
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    throughput, first, gap = figure.subplots(1, 3)
    _panel(throughput, record, "Tokens in a second", [lambda f: f.tokens_per_s])
    throughput.legend(fontsize=8, frameon=False)
    _panel(
        first,
        record,
        "Milliseconds to the first token (dashed: 99 %)",
        [lambda f: f.first_p50_ms, lambda f: f.first_p99_ms],
    )
    _panel(gap, record, "Milliseconds between pieces, 99 %", [lambda f: f.gap_p99_ms])
    figure.suptitle(
        f"{record.model}: {record.tokens} tokens a stream, API processes: {record.workers},"
        f" {record.machine.get('cores', '?')} cores",
        fontsize=11,
    )
    return figure


def _panel(
    axes: Axes, record: Record, title: str, lines: Sequence[Callable[[Figures], float]]
) -> None:
    """Draw figures over the number of streams: of each step a line, and a dashed second."""
    streams = record.streams()
    for step in steps_of(record):
        color, marker = _LOOKS[step]
        for read, style in zip(lines, ("-", "--"), strict=False):
            values = [read(record.middle(step, count)) for count in streams]
            (line,) = axes.plot(streams, values, style, color=color, marker=marker, markersize=5)
            line.set_label(NAMES[step])
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("streams side by side", fontsize=9)
    axes.set_xscale("log", base=2)
    axes.set_xticks(streams, [str(count) for count in streams])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=8)
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
