"""The command line of scripts/train_demo. Torch is only imported when a training starts."""

import argparse
import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from scripts.demo.corpus import CorpusError, Split, read_corpus, split_corpus
from scripts.demo.dialogues import Dialogues
from scripts.demo.recipe import RECIPE

BAD_USE: Final = 2  # the exit code of a wrong argument or a missing need
_NEEDS: Final = ("torch", "transformers", "optimum", "openvino_genai")


@dataclass(frozen=True)
class Plan:
    """What one call of the command is to do."""

    minutes: float
    threads: int
    work: Path  # checkpoint and half-made files; a later call resumes from here
    output: Path  # the model folder that is replaced at the end
    fresh: bool
    dry_run: bool


def main(argv: Sequence[str], root: Path) -> int:
    """Run the command and return its exit code."""
    plan = _parse(argv, root)
    try:
        split = split_corpus(read_corpus(root / "scripts" / "demo" / "corpus"))
    except CorpusError as error:
        return _refuse(str(error))
    _describe(plan, split)
    if plan.dry_run:
        return 0
    missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        return _refuse(
            f"{', '.join(missing)} not found: make the build environment first with"
            " `python3 -m venv .venv-build && .venv-build/bin/pip install torch==2.13.0 &&"
            " .venv-build/bin/pip install --no-deps --require-hashes -r requirements/build.lock`."
        )
    # Threads that wait asleep leave a busy machine to others, and to the training itself:
    # 2,470 against 1,680 tokens/s on 2 cores with other work. Read once, when torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    importlib.import_module("scripts.demo.pipeline").build(plan, split)
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Answer a wrong argument with one sentence."""
        sys.exit(_refuse(f"{message}; see `scripts/train_demo --help`."))


def _parse(argv: Sequence[str], root: Path) -> Plan:
    parser = _Parser(
        prog="scripts/train_demo",
        description="Train the bundled demo model, compile it to int8 and put it into the"
        " model repository. An interrupted training goes on where it stopped.",
        epilog="Example: scripts/train_demo --minutes 60",
    )
    parser.add_argument("--minutes", type=_minutes, default=60.0, help="training time (60)")
    parser.add_argument("--threads", type=_threads, default=2, metavar="N",
                        help="CPU threads (2)")  # fmt: skip
    parser.add_argument("--work", type=Path, default=root / "build" / "train_demo",
                        help="folder of the checkpoint (build/train_demo)")  # fmt: skip
    parser.add_argument("--output", type=Path, default=root / "model_repository" / "demo",
                        help="model folder to replace (model_repository/demo)")  # fmt: skip
    parser.add_argument("--fresh", action="store_true", help="start anew, not at a checkpoint")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    return Plan(**vars(parser.parse_args(argv)))


def _minutes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a time above 0")
    return value


def _threads(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number of threads")
    return int(text)


def _describe(plan: Plan, split: Split) -> None:
    trained = sum(len(question.ask) for question in split.questions)
    pool = Dialogues(split, RECIPE.seed).pool(0)
    print(
        f"Corpus: {len(split.questions)} questions, {trained} phrasings to train on and"
        f" {len(split.held_out)} held out; {len(pool)} dialogues a pass.\n"
        f"Training: {plan.minutes:g} minutes on {plan.threads} threads,"
        f" checkpoint in {plan.work}.\n"
        f"Result: {plan.output}",
        flush=True,
    )


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return BAD_USE
