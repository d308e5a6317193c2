"""The command line of `scripts/fleet`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

_EXAMPLES = """examples:
  scripts/fleet --tritons 4 --frontends 2 --workers 2
  scripts/fleet --tritons 2 --model demo --port 0
  scripts/fleet status
  scripts/fleet restart tritons       (or frontends, mongods, haproxy, triton2, all ...)
  scripts/fleet measure throughput    (or prefix, restarts, kills, sizing)
"""
PARTS = ("tritons", "frontends", "mongods", "haproxy", "all")
SCENARIOS = ("throughput", "prefix", "restarts", "kills", "sizing")
_COMMANDS = ("start", "status", "restart", "measure")
_MAX_TRITONS = 16
_MAX_MEMBERS = 7
_TIMED = ("throughput", "sizing")
# What fits a simulated engine only, and what needs a model's name.
_SIMULATED = {"first_token_ms", "token_ms"}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, message[:1].upper() + message[1:] + "; see scripts/fleet --help.\n")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the options; a wrong one ends the process with one sentence and exit code 2."""
    parser = _Parser(
        prog="scripts/fleet",
        description="Start several Tritons, HAProxy, frontends and a MongoDB on this machine, all "
        "of which end with this command; or look at such a fleet, restart its parts one after the "
        "other under traffic, or measure one.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("command", nargs="?", choices=_COMMANDS, default="start", help="default: start")
    add("what", nargs="?", help="the part to restart, or what to measure")
    add("--port", type=_whole(0, 65535), default=8000, help="of the API (default: 8000; 0: any)")
    _add_sizes(parser)
    _add_model(parser)
    options = parser.parse_args(argv)
    _check(parser, options)
    return options


def _add_sizes(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--tritons", type=_whole(1, _MAX_TRITONS), default=2, metavar="N", help="default: 2")
    add("--frontends", type=_whole(1, 16), default=2, metavar="N", help="default: 2")
    add("--workers", type=_whole(1, 64), default=1, metavar="N", help="of each (default: 1)")
    mongods = _whole(1, _MAX_MEMBERS)
    add("--mongods", type=mongods, default=1, metavar="N", help="replica set (default: 1)")
    add("--mongodb-uri", default="", metavar="URI", help="use this MongoDB, start none")
    add("--no-hashing", action="store_true", help="requests go round, to compare")


def _add_model(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--model", metavar="NAME", help="of model_repository (default: a simulated engine)")
    number = _whole(0, 60_000)
    add("--first-token-ms", type=number, default=50, metavar="MS", help="simulated (50)")
    add("--token-ms", type=number, default=20, metavar="MS", help="simulated (20)")
    add("--max-batch", type=_whole(1, 4096), default=16, metavar="N", help="simulated (16)")
    add("--repository", type=Path, metavar="DIR", help="where the model is")
    add("--seconds", type=_whole(1, 3600), default=20, help="measure: of each run (default: 20)")


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.command in ("start", "status") and options.what is not None:
        parser.error(f"{options.command} takes nothing more, got {options.what!r}")
    if options.command == "measure" and options.what not in SCENARIOS:
        parser.error(f"measure takes one of {', '.join(SCENARIOS)}, got {options.what!r}")
    if options.command == "restart" and not options.what:
        parser.error(f"restart takes one of {', '.join(PARTS)}, or one part such as triton1")
    given = {name for name, value in vars(options).items() if value != parser.get_default(name)}
    unused = sorted(given - _used(options) - {"command", "what"})
    if unused:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
        parser.error(f"this command would not look at {named}")


def _used(options: argparse.Namespace) -> set[str]:
    """Return the names of the options that mean something beside the others."""
    if options.command in ("status", "restart"):
        return {"port"}
    if options.command == "measure":
        return {"seconds"} if options.what in _TIMED else set()
    unused = {"seconds"} | (_SIMULATED if options.model else {"repository"})
    return {*vars(options)} - unused - ({"mongods"} if options.mongodb_uri else set())


class _Whole:
    """Reads a whole number between two limits."""

    def __init__(self, low: int, high: int) -> None:
        self._low, self._high = low, high

    def __call__(self, text: str) -> int:
        if not text.isdecimal() or not self._low <= int(text) <= self._high:
            wanted = f"a whole number from {self._low} to {self._high}"
            raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
        return int(text)


_whole = _Whole
