"""`scripts/bench`: one load, three steps, in turn and in one run, so that ratios hold."""

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import NoReturn

from scripts.benchmark.cpu_time import tree_cpu_s
from scripts.benchmark.engine_load import EngineLoad
from scripts.benchmark.figures import Figures, StreamTimes, middle, summarise
from scripts.benchmark.grpc_load import run_grpc
from scripts.benchmark.http_load import run_http
from scripts.benchmark.load import Load
from scripts.benchmark.record import (
    Record,
    Run,
    UnreadableRecordError,
    now,
    read_record,
    this_machine,
    write_record,
)
from scripts.benchmark.serving import CannotServeError, Serving, serving
from scripts.benchmark.table import render
from scripts.launcher.bootstrap import ROOT
from triton_backend.llm.engines.simulated import write_model_folder
from triton_backend.llm.errors import LoadError

_EXAMPLES = """examples:
  scripts/bench --model demo --streams 1 8
  scripts/bench --simulated 20 10 --streams 64
  scripts/bench --streams 1 2 4 8 --json runs.json --html report.html --png report.png
  scripts/bench --from runs.json --png report.png
"""
STEPS = ("engine", "triton", "http")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, message[:1].upper() + message[1:] + "; see scripts/bench --help.\n")


def main(argv: Sequence[str]) -> int:
    """Measure, print a table, write what was asked for; return the exit status."""
    options = parse(argv)
    try:
        record = read_record(options.source) if options.source else _measured(options)
    except (CannotServeError, LoadError, RuntimeError, TimeoutError) as exc:
        print(f"The benchmark stopped: {exc}", file=sys.stderr)
        return 1
    except UnreadableRecordError as exc:
        print(exc, file=sys.stderr)
        return 1
    try:
        _write(record, options)
    except OSError as exc:
        print(f"{exc.filename} cannot be written: {exc.strerror}.", file=sys.stderr)
        return 1
    return 0


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the options; a wrong one ends the process with one sentence and exit code 2."""
    parser = _Parser(
        prog="scripts/bench",
        description="Stream the same load through the engine, Triton's gRPC and HTTP.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--model", default="demo", help="a model of the repository (default: demo)")
    add("--repository", type=Path, default=ROOT / "model_repository", metavar="DIR")
    add(
        "--simulated",
        nargs=2,
        type=_milliseconds,
        metavar=("FIRST_MS", "TOKEN_MS"),
        help="a simulated engine of this pace in place of a model",
    )
    add("--streams", type=_count, nargs="+", default=[1, 8], help="streams side by side")
    add("--tokens", type=_count, default=128, help="tokens of each stream (default: 128)")
    add("--rounds", type=_count, default=3, help="runs of each step (default: 3); medians count")
    add("--workers", type=_count, default=1, help="API processes (default: 1)")
    add("--json", type=_new_file, metavar="FILE", help="write every run's figures")
    add("--html", type=_new_file, metavar="FILE", help="write a page with picture and figures")
    add("--png", type=_new_file, metavar="FILE", help="write the picture")
    add("--from", type=_file, metavar="FILE", dest="source", help="measure nothing: draw a --json")
    options = parser.parse_args(argv)
    folder = options.repository / options.model
    if options.source and not (options.html or options.png):
        parser.error("--from goes with --html or --png")
    if not options.source and not options.simulated and not (folder / "config.pbtxt").is_file():
        parser.error(f"there is no model {options.model!r} in {options.repository}")
    return options


def _measured(options: argparse.Namespace) -> Record:
    with tempfile.TemporaryDirectory(prefix="conch-bench-") as folder:
        repository = options.repository
        if options.simulated:
            repository = Path(folder)
            _write_simulated(repository, options)
        started_at = now()
        runs = _measure_all(options, repository)
    return Record(started_at, this_machine(), options.model, options.tokens, options.workers, runs)


def _write(record: Record, options: argparse.Namespace) -> None:
    if options.json:
        write_record(record, options.json)
    if options.html or options.png:
        # Here, not above: drawing needs an extra that measuring goes without.
        from scripts.benchmark.report import write_html, write_png  # noqa: PLC0415

        if options.html:
            write_html(record, options.html)
        if options.png:
            write_png(record, options.png)


def _measure_all(options: argparse.Namespace, repository: Path) -> Sequence[Run]:
    runs: list[Run] = []
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(EngineLoad(repository / options.model / "1"))
        server = stack.enter_context(serving(repository, options.model, options.workers))
        for streams in options.streams:
            # One round more, not counted: caches fill, connections open.
            rounds = [
                _round(engine, server, Load(options.model, streams, options.tokens, number))
                for number in range(options.rounds + 1)
            ][1:]
            runs += [
                Run(step, streams, number, figures)
                for number, measured in enumerate(rounds, start=1)
                for step, figures in zip(STEPS, measured, strict=True)
            ]
            steps = {step: middle([r[index] for r in rounds]) for index, step in enumerate(STEPS)}
            print(
                render(
                    f"{options.model}, streams: {streams}, tokens of each: {options.tokens}", steps
                )
            )
    return runs


def _round(engine: EngineLoad, server: Serving, load: Load) -> tuple[Figures, Figures, Figures]:
    return (
        engine.run(load),
        _measure_server(server, run_grpc(server.grpc_address, load)),
        _measure_server(server, run_http(server.base_url, load)),
    )


def _measure_server(server: Serving, run: Coroutine[None, None, Sequence[StreamTimes]]) -> Figures:
    before = tree_cpu_s(server.pid)
    streams = asyncio.run(run)
    return summarise(streams, tree_cpu_s(server.pid) - before)


def _write_simulated(repository: Path, options: argparse.Namespace) -> None:
    first_ms, token_ms = options.simulated
    options.model = "simulated"
    write_model_folder(
        repository,
        options.model,
        first_token_ms=first_ms,
        token_ms=token_ms,
        max_batch=max(options.streams),
        tokenizer_from=ROOT / "model_repository" / "demo" / "1",
    )


def _new_file(text: str) -> Path:
    if not Path(text).absolute().parent.is_dir():  # told before minutes of measuring
        raise argparse.ArgumentTypeError(f"there is no folder for {text!r}")
    return Path(text)


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return Path(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _milliseconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of milliseconds")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
