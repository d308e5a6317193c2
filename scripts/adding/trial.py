"""Tries a compiled model with the engine that will serve it, in a process of its own.

`python -m scripts.adding.trial VERSION_FOLDER` prints JSON: {"text", "agreement": [equal, of]}
or {"error": a sentence}. `agreement` counts the greedy tokens that are the source's own, as
`reference.json` tells them; null without that file.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts.adding.arguments import ROOT
from scripts.adding.errors import AddingError
from triton_backend.llm.engines.protocol import Delta, Engine, SequenceParams
from triton_backend.llm.errors import LoadError, RequestError
from triton_backend.llm.json_values import JsonObject
from triton_backend.llm.request import ChatPrompt, Sampling, TextPrompt
from triton_backend.llm.service import ServedModel, open_model

TRIED_TOKENS: Final = 10
REFERENCE: Final = "reference.json"
_LOAD_LIMIT_S: Final = 900.0
_ANSWER_LIMIT_S: Final = 300.0
_CLOSE_LIMIT_S: Final = 5.0


@dataclass(frozen=True)
class Tried:
    """What the model said, and how many of how many greedy tokens are the source's own."""

    text: str
    agreement: tuple[int, int] | None


def try_out(version: Path) -> Tried:
    """Load the model and make ten tokens; AddingError says in one sentence what is wrong."""
    command = [sys.executable, "-m", "scripts.adding.trial", str(version)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=_LOAD_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise AddingError("The model did not answer within 15 minutes.") from error
    return read_answer(done.stdout, done.returncode)


def read_answer(printed: str, status: int) -> Tried:
    """What the trial said, among whatever libraries print; AddingError if it failed."""
    said = next((one for line in reversed(printed.splitlines()) if (one := _answer(line))), None)
    if said is None:
        ended = f"signal {-status}" if status < 0 else f"{status}"
        raise AddingError(f"The engine died while it was tried (exit status {ended}).")
    if "error" in said:
        raise AddingError(f"The compiled model cannot be served: {said['error']}")
    agreement = said["agreement"]
    return Tried(said["text"], None if agreement is None else (agreement[0], agreement[1]))


def _answer(line: str) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    is_answer = isinstance(said, dict) and ("error" in said or {"text", "agreement"} <= said.keys())
    return said if is_answer else None


def main(version: Path) -> int:
    """Print what `read_answer` reads; the exit status."""
    try:
        model = open_model(version)
        try:
            said: dict[str, Any] = {"text": _text(model), "agreement": _agreement(model, version)}
            # Before the end: a library that does not close in time ends the process.
            print(json.dumps(said), flush=True)
        finally:
            model.engine.close(_CLOSE_LIMIT_S)
    except LoadError as error:
        return _fail(str(error))
    except RequestError as error:
        return _fail(error.message)
    return 0


def _fail(sentence: str) -> int:
    print(json.dumps({"error": sentence}), flush=True)
    return 1


def _text(model: ServedModel) -> str:
    message: JsonObject = {"role": "user", "content": "Hello! Who are you?"}
    has_template = model.manifest.chat_template is not None
    prompt = ChatPrompt((message,), (), {}) if has_template else TextPrompt("Hello! I am")
    ids = model.preprocessor.encode(prompt).ids
    answer = _greedy(model.engine, ids, model.manifest.eos_token_ids, TRIED_TOKENS)
    return model.tokenizer.decode(answer, has_special_tokens=False)


def _agreement(model: ServedModel, version: Path) -> tuple[int, int] | None:
    path = version / REFERENCE
    if not path.is_file():
        return None
    equal = total = 0
    for ids, expected in json.loads(path.read_text(encoding="utf-8")):
        made = _greedy(model.engine, ids, model.manifest.eos_token_ids, max(len(expected), 1))
        pairs = zip(made, expected, strict=False)
        equal += next(
            (i for i, (ours, theirs) in enumerate(pairs) if ours != theirs),
            min(len(made), len(expected)),
        )
        total += len(expected)
    return equal, total


def _greedy(
    engine: Engine, ids: Sequence[int], eos_ids: tuple[int, ...], max_tokens: int
) -> list[int]:
    """Return the most likely tokens; RequestError when the engine fails."""
    deltas: list[Delta] = []
    ended = threading.Event()

    def keep(delta: Delta) -> None:
        deltas.append(delta)
        if delta.is_last:
            ended.set()

    params = SequenceParams(Sampling(temperature=0.0), max_tokens, 0, eos_ids)
    engine.submit(ids, params, keep)
    if not ended.wait(_ANSWER_LIMIT_S):
        raise LoadError("it was silent for five minutes.")
    if deltas[-1].error is not None:
        raise deltas[-1].error
    return [token for delta in deltas for token in delta.ids]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
