"""The command line of scripts/build_engine."""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

from scripts.adding import place
from scripts.adding.arguments import ROOT, model_name, name_from
from scripts.adding.errors import AddingError
from scripts.adding.sources import locate
from scripts.engines.target import TARGETS, load_target
from triton_backend.llm.errors import LoadError
from triton_backend.llm.manifest import read_manifest

_BAD_USE: Final = 2
# Arguments that hold for one call only, and whether a value follows them.
_OF_ONE_CALL: Final = {
    "--gpu": True, "--gpu-memory": True, "--name": True, "--repository": True,
    "--dry-run": False, "--replace": False, "--no-trial": False,
}  # fmt: skip
_FOLDERS: Final = ("--calibration", "--lora", "--modelopt")
_EXAMPLES: Final = """examples:
  scripts/build_engine --target tensorrt-llm --name qwen ./Qwen2.5-7B-Instruct
  scripts/build_engine --target tensorrt-llm --gpu sm90 --gpu-memory 80 --dry-run ./Llama-3.1-8B
  scripts/build_engine --rebuild qwen
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Answer a wrong argument with one sentence."""
        self.exit(
            _BAD_USE, f"{message[:1].upper()}{message[1:]}; see scripts/build_engine --help.\n"
        )


def main(argv: Sequence[str], say: Callable[[str], None] = print) -> int:
    """Plan or build what is named; the exit status."""
    try:
        _perform(parse(argv), say)
    except (AddingError, LoadError) as error:
        print(error, file=sys.stderr)
        return error.exit_code if isinstance(error, AddingError) else 1
    except OSError as error:
        reason = (
            "the disk is full" if error.errno == errno.ENOSPC else os.strerror(error.errno or 0)
        )
        print(f"Nothing was built: {reason}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; nothing was built.", file=sys.stderr)
        return 130
    return 0


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments; `arguments` holds those that build the same again."""
    first = _first_parser(has_help=False)
    known, _ = first.parse_known_args(argv)
    if known.rebuild is not None:
        return _rebuilding(known, argv)
    parser = _first_parser(has_help=True)
    if known.target is None and "--help" not in argv:
        parser.error(f"--target is missing, one of {', '.join(TARGETS)}")
    load_target(known.target or next(iter(TARGETS))).add_arguments(parser)
    options = parser.parse_args(argv)
    if options.source is None:
        parser.error("a folder with a model is missing")
    options.arguments = _lasting(argv, options.source)
    return options


def _first_parser(*, has_help: bool) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="scripts/build_engine",
        description="Build an engine for one kind of machine out of a Hugging Face folder, and put"
        " it into the model repository. Without an NVIDIA GPU it still plans: --dry-run.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=has_help,
    )
    add = parser.add_argument
    add("source", nargs="?", metavar="SOURCE", help="a folder, or owner/model on Hugging Face")
    add("--target", choices=tuple(TARGETS), help="what will run it")
    add(
        "--rebuild",
        type=model_name,
        metavar="NAME",
        help="build a model of the repository again, for this machine",
    )
    add("--name", type=model_name, help="what clients call it (from the source)")
    add("--revision", help="a commit, branch or tag on Hugging Face")
    add("--offline", action="store_true", help="use only what was fetched before")
    add("--repository", type=Path, default=ROOT / "model_repository", help="where it is put")
    add("--replace", action="store_true", help="put it in the place of a model of that name")
    add("--dry-run", action="store_true", help="print the plan and change nothing")
    add("--no-trial", action="store_true", help="do not try ten tokens, as when the GPU is busy")
    return parser


def _rebuilding(known: argparse.Namespace, argv: Sequence[str]) -> argparse.Namespace:
    """The arguments a model was built with, for the GPU that is here now; `argv` may change some.

    Raises AddingError when engine.json has others than this command writes into it.
    """
    folder = known.repository / known.rebuild / "1"
    build = read_manifest(folder).build
    if build is None:
        raise AddingError(f"{known.rebuild} was not built for a GPU by this command.", _BAD_USE)
    given = list(_without(argv, {"--rebuild": True, **_OF_ONE_CALL}))
    _check_arguments(known.rebuild, build.arguments, given)
    again = ["--name", known.rebuild, "--repository", str(known.repository), "--replace"]
    again += ["--dry-run"] * known.dry_run + ["--no-trial"] * known.no_trial
    options = parse([*build.arguments, *given, *again])
    options.arguments = _lasting([*build.arguments, *given], options.source)
    return options


def _check_arguments(name: str, arguments: Sequence[str], given: Sequence[str]) -> None:
    asked = {word.partition("=")[0] for word in arguments}
    if never := sorted(asked & {*_OF_ONE_CALL, "--rebuild", "--help", "-h"}):
        raise AddingError(
            f"engine.json of {name} has the argument {never[0]}, which this command never writes"
            " there: build it anew from its source.",
            _BAD_USE,
        )
    again = {word.partition("=")[0] for word in given}
    # Code that the build runs: engine.json may be somebody else's. The image's is NVIDIA's.
    code = {"--modelopt", "--examples"} if "--no-container" in asked | again else {"--modelopt"}
    if of_code := sorted((asked & code) - again):
        raise AddingError(
            f"{name} was built with {of_code[0]}, which names code to run: give it again.",
            _BAD_USE,
        )


def _without(argv: Sequence[str], options: Mapping[str, bool]) -> Iterator[str]:
    """Yield the words that are none of these options; the flag: whether a value follows one."""
    words = iter(argv)
    for word in words:
        name, has_value, _ = word.partition("=")
        if name not in options:
            yield word
        elif not has_value and options[name]:
            next(words, None)


def _perform(options: argparse.Namespace, say: Callable[[str], None]) -> None:
    repository = options.repository.resolve()
    name = options.name or name_from(options.source)
    if not options.dry_run:
        place.require_free(repository, name, replaces=options.replace)
    source = locate(options.source, options.revision, is_offline=options.offline)
    plan = load_target(options.target).make_plan(options, source)
    say(plan.described())
    if options.dry_run:
        return
    plan.require_machine()
    place.require_space(repository, plan.disk_bytes)
    with place.staged(repository, name) as folder:
        plan.build(folder, say)
        place.put_in_place(folder, repository / name)
    say(f"{name} was built. Serve it: scripts/serve --model {name}")


def _lasting(argv: Sequence[str], source: str) -> list[str]:
    """What builds the same again, anywhere: absolute paths, and no GPU that was only planned."""
    lasting: list[str] = []
    words = _without(argv, _OF_ONE_CALL)
    for word in words:
        name, has_value, value = word.partition("=")
        if name in _FOLDERS:
            folder = value if has_value else next(words)
            lasting += [name, str(Path(folder).expanduser().resolve())]
        elif word == source and Path(source).expanduser().exists():
            lasting.append(str(Path(source).expanduser().resolve()))
        else:
            lasting.append(word)
    return lasting
