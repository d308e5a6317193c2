"""`python -m scripts.launcher`: what scripts/serve becomes once the environment is there."""

import asyncio
import contextlib
import os
import sys

from scripts.launcher import options, webapp
from scripts.launcher.errors import LaunchError
from scripts.launcher.launcher import launch
from scripts.launcher.plan import make_plan


def main(argv: list[str]) -> int:
    """Serve until stopped; the exit status."""
    try:
        chosen = options.parse(argv)
        plan = make_plan(chosen, os.environ)
        if not chosen.no_build:
            webapp.build(_say)
        asyncio.run(launch(plan, os.environ, _say))
    except LaunchError as exc:
        print(exc, file=sys.stderr)
        return exc.exit_code
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
