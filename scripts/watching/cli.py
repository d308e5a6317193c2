"""`scripts/top`: throughput, latency and what runs, refreshed each second."""

import argparse
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from rich.console import Console
from rich.live import Live

from scripts.listing.cli import http_address
from scripts.listing.model import NoServerError, RefusedError
from scripts.watching.figures import Figures, figures_of
from scripts.watching.server import Look, Server
from scripts.watching.view import draw

_EXAMPLES: Final = """examples:
  scripts/top
  CONCH_API_KEY=... scripts/top --url https://conch.example.org
  scripts/top --once --json
"""
# Generations are counted at their end: over a second alone, tokens would come in jumps.
_WINDOW_S: Final = 10.0
_MAX_PERIOD_S: Final = 3600.0
_HISTORY: Final = 600


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, message[:1].upper() + message[1:] + "; see scripts/top --help.\n")


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Show the server until stopped; returns the exit status, 1 with a sentence if it refuses."""
    options = _parse(argv)
    try:
        server = Server(options.url, _key(options.key_file, environ), options.metrics_path)
        first = server.look()
        if options.once:
            _show_once(server, first, options)
        else:
            _Watch(server, first).run(options.interval)
    except (NoServerError, RefusedError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass  # how it is meant to end
    except BrokenPipeError:
        # The reader of the pipe has seen enough; nothing may be flushed to it at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


class _Watch:
    """The looks of the last seconds, and what comes of them."""

    def __init__(self, server: Server, first: Look) -> None:
        self._server = server
        self._looks = deque([first])
        self._history: deque[float] = deque(maxlen=_HISTORY)
        self._figures = figures_of(first, first, server.metrics_path)

    def run(self, period_s: float) -> None:
        """Look and draw until interrupted; in a pipe, one screen after another."""
        console = Console()
        if not console.is_terminal:
            while True:
                time.sleep(period_s)
                trouble = self._look()
                console.print(draw(self._figures, self._server.url, console.width, (), trouble), "")
        with Live(console=console, screen=True, auto_refresh=False) as live:
            trouble = ""
            while True:
                width = console.width
                screen = draw(self._figures, self._server.url, width, list(self._history), trouble)
                live.update(screen, refresh=True)
                time.sleep(period_s)
                trouble = self._look()

    def _look(self) -> str:
        """Look again; returns what kept us from it, "" if nothing did."""
        try:
            look = self._server.look()
        except (NoServerError, RefusedError) as error:
            return str(error)
        self._figures = figures_of(self._looks[0], look, self._server.metrics_path)
        last = figures_of(self._looks[-1], look, self._server.metrics_path)
        self._history.append(last.traffic.written_per_s)
        self._looks.append(look)
        while len(self._looks) > 1 and look.at - self._looks[0].at >= _WINDOW_S:
            self._looks.popleft()
        return ""


def _show_once(server: Server, first: Look, options: argparse.Namespace) -> None:
    time.sleep(options.interval)
    figures: Figures = figures_of(first, server.look(), server.metrics_path)
    if options.json:
        print(json.dumps(asdict(figures), indent=2))
    else:
        console = Console()
        console.print(draw(figures, server.url, console.width))


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="scripts/top",
        description="Show a running server's throughput, latency, models, line and store, of its"
        " last 10 seconds. A server with keys wants one of the scopes admin and metrics, in"
        " CONCH_API_KEY or in a file.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--url", type=http_address, default="http://127.0.0.1:8000", help="(%(default)s)")
    add("--key-file", type=Path, metavar="FILE", help="a file with the key and nothing else")
    add("--metrics-path", type=_path, default="/metrics", metavar="PATH", help="(%(default)s)")
    add("--interval", type=_period, default=1.0, metavar="S", help="seconds between looks (1)")
    add("--once", action="store_true", help="two looks, one screen, and the end; for scripts")
    add("--json", action="store_true", help="with --once: the figures as JSON, in SI units")
    options = parser.parse_args(argv)
    if options.json and not options.once:
        parser.error("--json goes with --once")
    if options.key_file and not options.key_file.is_file():
        parser.error(f"there is no file {str(options.key_file)!r}")
    return options


def _key(path: Path | None, environ: Mapping[str, str]) -> str:
    if path is None:
        return environ.get("CONCH_API_KEY", "")
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"The key cannot be read from {path}.") from error


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a path such as /metrics")
    return text


def _period(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= _MAX_PERIOD_S:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds up to an hour")
    return value


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)  # so that the terminal is put back as it was
    sys.exit(main(sys.argv[1:], os.environ))
