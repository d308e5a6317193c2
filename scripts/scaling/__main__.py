"""`python -m scripts.scaling`: what scripts/fleet becomes once the environment is there."""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence

from scripts.launcher import ports
from scripts.launcher.errors import LaunchError
from scripts.scaling import control, options
from scripts.scaling.fleet import fleet_folder, run_fleet
from scripts.scaling.measuring import measure
from scripts.scaling.parts import shape_of
from scripts.scaling.status import table


def main(argv: Sequence[str]) -> int:
    """Do what the command line asks; the exit status."""
    chosen = options.parse(argv)
    try:
        return _run(chosen)
    except LaunchError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code


def _run(chosen: argparse.Namespace) -> int:
    if chosen.command == "status":
        print(table(asyncio.run(control.status(chosen.port))))
    elif chosen.command == "restart":
        asyncio.run(control.restart(chosen.port, chosen.what))
        print(f"Restarted: {chosen.what}.")
    elif chosen.command == "measure":
        asyncio.run(measure(chosen, _say))
    else:
        port = ports.check_listenable(ports.LOOPBACK, chosen.port)
        with fleet_folder(port) as folder:
            asyncio.run(run_fleet(shape_of(chosen, folder), port, folder, os.environ, _say))
    return 0


def _say(sentence: str) -> None:
    # The terminal may have been closed; serving goes on.
    with contextlib.suppress(OSError):
        print(sentence, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
