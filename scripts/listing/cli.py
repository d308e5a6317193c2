"""`scripts/models`: what a running server serves, or what lies in a repository folder."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import urlsplit

from scripts.launcher.bootstrap import ROOT
from scripts.listing.model import (
    Model,
    NoServerError,
    RefusedError,
    models_of_folder,
    models_of_server,
)
from scripts.listing.table import render

_EXAMPLES: Final = """examples:
  scripts/models
  CONCH_API_KEY=... scripts/models --url https://conch.example.org --json
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, message[:1].upper() + message[1:] + "; see scripts/models --help.\n")


def main(argv: Sequence[str]) -> int:
    """Print the models; returns the exit status."""
    options = _parse(argv)
    try:
        models, source = _models(options)
    except RefusedError as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps({"source": source, "models": [asdict(m) for m in models]}, indent=2))
    else:
        print(render(models) if models else f"There are no models in {source}.")
    return 0


def _models(options: argparse.Namespace) -> tuple[Sequence[Model], str]:
    """Return the models, and the address or the folder they are of."""
    try:
        return models_of_server(options.url, os.environ.get("CONCH_API_KEY", "")), options.url
    except NoServerError as error:
        print(f"{error} These are the models in {options.repository}:", file=sys.stderr)
        return list(models_of_folder(options.repository)), str(options.repository)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="scripts/models",
        description="List the models of a running server with their states; when none answers,"
        " those in the model repository. A server with keys wants one in CONCH_API_KEY.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    address = "http://127.0.0.1:8000"
    add("--url", type=http_address, default=address, help="of the server (%(default)s)")
    add("--repository", type=_folder, default=ROOT / "model_repository", help="the folder")
    add("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args(argv)


def http_address(text: str) -> str:
    """Return it; raises ArgumentTypeError where nothing could be asked there."""
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or any(char.isspace() for char in text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an http address")
    return text


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return Path(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
