"""`python -m scripts.adding`: what scripts/add_model becomes once the environment is there."""

import argparse
import contextlib
import errno
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from scripts.adding import (
    arguments,
    building,
    inspection,
    place,
    planning,
    tokenizer_only,
    trial,
    writing,
)
from scripts.adding.errors import AddingError
from scripts.adding.inspection import Facts
from scripts.adding.planning import Plan
from scripts.adding.sources import Source, locate

_BELIEVED_SHARE: Final = 0.5


def main(argv: list[str], say: Callable[[str], None]) -> int:
    """Add the model that is named; the exit status."""
    options = arguments.parse(argv)
    try:
        if options.tokenizer_only:
            tokenizer_only.add_tokenizer(options, say)
        else:
            _add(options, say)
    except AddingError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or "unknown"
        print(f"Nothing was added: {reason}.", file=sys.stderr)
        return 1
    return 0


def _add(options: argparse.Namespace, say: Callable[[str], None]) -> None:
    repository = options.repository.resolve()
    name = options.name or arguments.name_from(options.source)
    place.require_free(repository, name, replaces=options.replace)
    source = locate(options.source, options.revision, is_offline=options.offline)
    facts, quantization = _inspect(source, options.quantization)
    plan = planning.make_plan(
        source,
        facts,
        name,
        quantization,
        context=_context(options.context, facts),
        compares=not options.no_compare,
    )
    say(planning.described(plan, source, facts))
    if options.dry_run:
        return
    place.require_space(repository, plan.disk_bytes)
    with place.staged(repository, name) as folder:
        _make(folder, source, facts, plan, say)
        place.put_in_place(folder, repository / name)
    say(f"{name} was added. Serve it: scripts/serve --model {name}")


def _inspect(source: Source, asked: str | None) -> tuple[Facts, str]:
    """Return what the source is, and the quantization its weights will have."""
    if source.kind == "checkpoint":
        return inspection.inspect_checkpoint(source.path), asked or arguments.QUANTIZATIONS[0]
    if asked is not None:
        raise AddingError("Only a checkpoint can be quantized: these weights stay as they are.", 2)
    if source.kind == "gguf":
        return building.gguf_facts(building.prepared(), source.path)
    return inspection.inspect_openvino(source.path), "as compiled"


def _context(asked: int | None, facts: Facts) -> int:
    if asked is not None and asked > facts.context_length:
        raise AddingError(
            f"The model's context is {facts.context_length} tokens: --context can only shorten it.",
            2,
        )
    return asked or facts.context_length


def _make(
    folder: Path, source: Source, facts: Facts, plan: Plan, say: Callable[[str], None]
) -> None:
    """Make the whole model in this folder, and try it."""
    made = folder / "made"
    made.mkdir()
    if source.kind == "openvino":
        shutil.copytree(source.path, made, dirs_exist_ok=True)
    else:
        say("Compiling ...")
        options = {"quantization": plan.quantization, "compares": plan.compares}
        building.convert(building.prepared(), source, made, facts, options)
    version = writing.write_model(folder, made, source, facts, plan)
    reference = made / trial.REFERENCE
    if reference.is_file():
        reference.rename(version / trial.REFERENCE)
    shutil.rmtree(made)
    say("Trying it ...")
    tried = trial.try_out(version)
    (version / trial.REFERENCE).unlink(missing_ok=True)
    _report(tried, plan.quantization, say)


def _report(tried: trial.Tried, quantization: str, say: Callable[[str], None]) -> None:
    say(f"It says: {tried.text!r}")
    if tried.agreement is None:
        return
    equal, total = tried.agreement
    say(f"Of {total} tokens that the source's own weights choose, it chose the same {equal} first.")
    finer = {"int4": "int8", "int8": "fp16"}.get(quantization)
    if equal < total * _BELIEVED_SHARE and finer:
        say(f"That is little: --quantization {finer} keeps more of the model.")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:], lambda sentence: print(sentence, flush=True)))
    print("Interrupted; nothing was added.", file=sys.stderr)
    sys.exit(130)
