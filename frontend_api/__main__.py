"""`python -m frontend_api`: read the settings, then serve; `… keys` is for API keys."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import MutableMapping, Sequence
from typing import Final

from frontend_api.arguments import WRONG, Parser, add_config
from frontend_api.domain.stored import StoreRefused
from frontend_api.key_command import manage_keys
from frontend_api.serving import AddressError, serve
from frontend_api.settings import SettingsError, load_settings

_KEYS: Final = "keys"
_EXAMPLE: Final = """\
example:
  CONCH_TRITON__URL=127.0.0.1:8001 python -m frontend_api --port 8000 --workers 2

API keys: python -m frontend_api keys --help
"""


def main(argv: Sequence[str], environ: MutableMapping[str, str]) -> int:
    """Do what is asked; returns the exit code, 2 for what the operator must change."""
    try:
        if argv[:1] == [_KEYS]:
            return manage_keys(argv[1:], environ)
        return _serve(argv, environ)
    except (SettingsError, AddressError, StoreRefused) as exc:
        print(f"frontend_api: {exc}", file=sys.stderr)
        return WRONG


def _serve(argv: Sequence[str], environ: MutableMapping[str, str]) -> int:
    """Serve until told to stop."""
    options = _parser().parse_args(argv)
    chosen = {
        name: getattr(options, name)
        for name in ("host", "port", "workers")
        if getattr(options, name) is not None
    }
    settings = load_settings(options.config, environ, {"server": chosen})
    return serve(settings, environ)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="frontend_api",
        description="Serve OpenAI-style APIs in front of a Triton server.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default 8000)")
    parser.add_argument("--workers", type=int, help="processes; one per core is best (default 1)")
    add_config(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
