"""The figures as a Markdown table, so that a run can be pasted into the README."""

from collections.abc import Mapping

from scripts.benchmark.figures import Figures

_HEADER = (
    "| step | tokens/s | of the engine's "
    "| first token p50 ms | p99 ms | gap p99 ms | CPU µs/token |\n"
    "|---|---|---|---|---|---|---|"
)
NAMES = {
    "engine": "engine, in process",
    "triton": "Triton, gRPC",
    "http": "Conch, HTTP",
}


def render(title: str, steps: Mapping[str, Figures]) -> str:
    """Return a titled table; rates are also given as a share of the engine's."""
    engine = steps["engine"].tokens_per_s
    rows = [
        f"| {NAMES[name]} | {f.tokens_per_s:,.0f} | {f.tokens_per_s / engine:.2f} "
        f"| {f.first_p50_ms:.1f} | {f.first_p99_ms:.1f} | {f.gap_p99_ms:.1f} "
        f"| {f.cpu_us_per_token:,.0f} |"
        for name, f in steps.items()
    ]
    return "\n".join([f"\n{title}", "", _HEADER, *rows])
