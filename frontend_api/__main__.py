"""`python -m frontend_api`: read the settings, then serve."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

from frontend_api.serving import AddressError, serve
from frontend_api.settings import SettingsError, load_settings

_WRONG: Final = 2
_DEFAULT_FILE: Final = Path("config.toml")
_EXAMPLE: Final = """\
example:
  CONCH_TRITON__URL=127.0.0.1:8001 python -m frontend_api --port 8000 --workers 2
"""


class _Parser(argparse.ArgumentParser):
    """Answers a wrong argument with one sentence."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence and leave with code 2."""
        self.exit(_WRONG, f"{self.prog}: {message}.\n")


def main(argv: Sequence[str], environ: MutableMapping[str, str]) -> int:
    """Serve until told to stop; returns the exit code, 2 for what the operator must change."""
    options = _parser().parse_args(argv)
    chosen = {
        name: getattr(options, name)
        for name in ("host", "port", "workers")
        if getattr(options, name) is not None
    }
    try:
        settings = load_settings(options.config, environ, {"server": chosen})
        return serve(settings, environ)
    except (SettingsError, AddressError) as exc:
        print(f"frontend_api: {exc}", file=sys.stderr)
        return _WRONG


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="frontend_api",
        description="Serve OpenAI-style APIs in front of a Triton server.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default 8000)")
    parser.add_argument("--workers", type=int, help="processes; one per core is best (default 1)")
    parser.add_argument(
        "--config",
        type=Path,
        default=_DEFAULT_FILE if _DEFAULT_FILE.exists() else None,
        help="TOML file with the settings (default: config.toml, if there is one)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
