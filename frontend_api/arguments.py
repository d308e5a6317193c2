"""Command lines: a wrong argument is answered with one sentence and exit code 2."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final, NoReturn

WRONG: Final = 2
_DEFAULT_FILE: Final = Path("config.toml")


class Parser(argparse.ArgumentParser):
    """Answers a wrong argument with one sentence."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence and leave with code 2."""
        self.exit(WRONG, f"{self.prog}: {message}.\n")


def add_config(parser: argparse.ArgumentParser) -> None:
    """Let the settings come from a file."""
    parser.add_argument(
        "--config",
        type=Path,
        default=_DEFAULT_FILE if _DEFAULT_FILE.exists() else None,
        help="TOML file with the settings (default: config.toml, if there is one)",
    )
