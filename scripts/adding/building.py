"""Has the build environment read and compile a model; torch and transformers stay in there."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from scripts.adding.arguments import ROOT
from scripts.adding.errors import AddingError
from scripts.adding.inspection import Facts
from scripts.adding.sources import Source
from scripts.launcher.bootstrap import CannotPrepareError, ensure_environment

BUILD_ENVIRONMENT: Final = ROOT / ".venv-build"
COMPARED_TOKENS: Final = 24
COMPARED_PROMPTS: Final = (
    "The capital of France is",
    "Once upon a time there was",
    "def add(a, b):",
    "To be, or not to be, that is",
    "1, 2, 3, 4,",
)
_FACTS_LIMIT_S: Final = 300
# The second is all that OpenVINO says when it cannot write a model.
_NO_SPACE: Final = ("No space left on device", "iostream error")


def prepared() -> Path:
    """Return the build environment's Python, installed first if need be; AddingError if not."""
    try:
        python = ensure_environment(ROOT / "requirements" / "build.lock", BUILD_ENVIRONMENT)
    except CannotPrepareError as error:
        raise AddingError(str(error)) from error
    if not any(BUILD_ENVIRONMENT.glob("lib/python*/site-packages/torch")):
        raise AddingError(
            "Compiling needs PyTorch: .venv-build/bin/pip install torch==2.13.0 (CONTRIBUTING.md"
            " names a smaller build), then this command again."
        )
    return python


def gguf_facts(python: Path, path: Path) -> tuple[Facts, str]:
    """Return what a GGUF file says of itself, and its quantization; AddingError if it is broken."""
    command = [str(python), "-m", "scripts.adding.gguf_facts", str(path)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=_FACTS_LIMIT_S, check=False
        )
        said = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise AddingError(f"{path.name} is no whole GGUF file.") from error
    if "error" in said:
        raise AddingError(said["error"])
    quantization = said.pop("quantization")
    said["eos_token_ids"] = tuple(said["eos_token_ids"])
    return Facts(**said), quantization


def convert(
    python: Path, source: Source, output: Path, facts: Facts, options: Mapping[str, Any]
) -> None:
    """Compile the source into the folder; AddingError says why not.

    options: `quantization`, and `compares`: whether to write down the source's own answers.
    """
    job = {
        "kind": source.kind,
        "source": str(source.path),
        "output": str(output),
        "quantization": options["quantization"],
        "eos_token_ids": facts.eos_token_ids,
        "prompts": COMPARED_PROMPTS if options["compares"] else (),
        "max_tokens": COMPARED_TOKENS,
    }
    with tempfile.TemporaryDirectory(prefix="conch-adding-") as folder:
        path = Path(folder) / "job.json"
        path.write_text(json.dumps(job), encoding="utf-8")
        _run([str(python), "-m", "scripts.adding.convert", str(path)], Path(folder) / "log")
    outcome = json.loads((output / "outcome.json").read_text(encoding="utf-8"))
    if "error" in outcome:
        raise AddingError(outcome["error"])


def _run(command: Sequence[str], log: Path) -> None:
    """Run to the end, its progress on our terminal if we have one; AddingError if it dies."""
    shown = sys.stderr.isatty()
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=None if shown else file)
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if status not in (0, 1) or (status == 1 and _is_traceback(log)):
        raise AddingError(_reason(status, log))


def _is_traceback(log: Path) -> bool:
    return "Traceback (most recent call last)" in log.read_text(encoding="utf-8", errors="replace")


def _reason(status: int, log: Path) -> str:
    if status < 0:
        return (
            f"The compilation was ended by signal {-status}; 9 usually means that the memory"
            " was not enough."
        )
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last = lines[-1] if lines else "it said nothing"
    if any(words in last for words in _NO_SPACE):
        return "The compilation could not write its files: the disk is full; nothing was added."
    return f"The compilation failed: {last}"
