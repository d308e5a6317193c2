"""The command line of `scripts/serve`; standard library only, for it is read before any install."""

import argparse
from pathlib import Path

_EXAMPLES = """examples:
  scripts/serve
  scripts/serve --port 8080 --workers 2
  scripts/serve --model demo --config config.toml
  scripts/serve --triton-url 127.0.0.1:8001
  scripts/serve --metrics-port 8002
"""
MAX_PORT = 65535


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> "NoReturn":  # type: ignore[name-defined]  # noqa: F821
        self.exit(2, message[:1].upper() + message[1:] + "; see scripts/serve --help.\n")


def parse(argv: "list[str]") -> argparse.Namespace:
    """Return host, port, workers, model (list), repository, config, triton_url,
    metrics_port and no_build.

    What was not given is None: the configuration decides then. A wrong argument ends the
    process with one sentence and exit code 2.
    """
    parser = _Parser(
        prog="scripts/serve",
        description="Start Triton with the chosen models and the API in front of it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--host", help="address to listen on (default: 127.0.0.1, this machine only)")
    add("--port", type=_port, help="port to listen on (default: 8000; 0: any free one)")
    add("--workers", type=_workers, help="API processes, at most one per core (default: 1)")
    add("--model", action="append", metavar="NAME", help="a model to load; may be repeated")
    add("--repository", type=_folder, metavar="DIR", help="where the models are")
    add("--config", type=_file, metavar="FILE", help="settings (see config.example.toml)")
    add("--triton-url", type=_address, metavar="HOST:PORT", help="use this Triton, start none")
    add("--metrics-port", type=_port, metavar="PORT", help="of Triton's metrics (default: any)")
    add("--no-build", action="store_const", const=True, help="serve the web chat as it is")
    return parser.parse_args(argv)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to {MAX_PORT})")
    return int(text)


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes (1 or more)")
    return int(text)


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text!r}")
    return Path(text)


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return Path(text)


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address such as 127.0.0.1:8001")
    return text
