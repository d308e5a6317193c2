"""`scripts/dashboards`: writes every dashboard as the JSON that Grafana reads."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from scripts.grafana.engine import ENGINE
from scripts.grafana.models import MODELS
from scripts.grafana.overview import OVERVIEW
from scripts.grafana.panels import Dashboard
from scripts.grafana.store import STORE
from scripts.grafana.usage import USAGE
from scripts.launcher.bootstrap import ROOT

FOLDER: Final = ROOT / "docker" / "grafana" / "dashboards"
DASHBOARDS: Final[Sequence[Dashboard]] = (OVERVIEW, MODELS, USAGE, ENGINE, STORE)


def main(argv: Sequence[str]) -> int:
    """Write the files; returns the exit status."""
    argparse.ArgumentParser(
        prog="scripts/dashboards",
        description=f"Write Grafana's dashboards to {FOLDER.relative_to(ROOT)}, from the tables"
        " in scripts/grafana.",
        epilog="example: scripts/dashboards",
    ).parse_args(argv)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


def files() -> Mapping[Path, str]:
    """Return what each file is to hold."""
    return {
        FOLDER / f"{board.uid}.json": json.dumps(board.as_json(), indent=1, ensure_ascii=False)
        + "\n"
        for board in DASHBOARDS
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
