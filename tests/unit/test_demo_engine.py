"""The shipped demo engine is what the shipped demo weights compile to.

`scripts/train_demo` recorded at compile time: the hashes of both, and what both say to
ten prompts at temperature 0 (model_repository/demo/weights/compile.json).
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.demo.chat import CHAT_TEMPLATE
from scripts.demo.evaluation import CompiledModel

DEMO = Path(__file__).resolve().parents[2] / "model_repository" / "demo"
MAX_BYTES = 32_000_000
MIN_AGREEING = 9  # of ten: rounding to 8 bits may turn a near tie


@dataclass(frozen=True)
class Answer:
    """What both precisions said to one prompt when the engine was compiled."""

    prompt: str
    bf16: list[int]
    int8: list[int]


@pytest.fixture(scope="module")
def record() -> dict[str, dict[str, str]]:
    content = json.loads((DEMO / "weights" / "compile.json").read_text(encoding="utf-8"))
    return {key: content[key] for key in ("weights", "engine")}


@pytest.fixture(scope="module")
def answers() -> list[Answer]:
    content = json.loads((DEMO / "weights" / "compile.json").read_text(encoding="utf-8"))
    return [Answer(**answer) for answer in content["answers"]]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_weights_and_engine_are_the_files_that_were_compiled(
    record: dict[str, dict[str, str]],
) -> None:
    weights = {name: sha256(DEMO / "weights" / name) for name in record["weights"]}
    engine = {name: sha256(DEMO / "1" / name) for name in record["engine"]}

    assert weights == record["weights"]
    assert engine == record["engine"]
    assert "model.safetensors" in weights
    assert "openvino_model.bin" in engine


def test_engine_json_names_the_hashes_of_the_weights(record: dict[str, dict[str, str]]) -> None:
    manifest = json.loads((DEMO / "1" / "engine.json").read_text(encoding="utf-8"))

    assert manifest["source"]["files"] == {
        f"weights/{name}": digest for name, digest in record["weights"].items()
    }


def test_engine_says_what_it_said_when_it_was_compiled(answers: list[Answer]) -> None:
    model = CompiledModel(DEMO / "1")

    said = model.greedy_ids([answer.prompt for answer in answers], max_new_tokens=64)

    agreeing = sum(ids == answer.int8 for ids, answer in zip(said, answers, strict=True))
    assert len(answers) == 10
    assert agreeing >= MIN_AGREEING


def test_engine_says_what_the_weights_say(answers: list[Answer]) -> None:
    agreeing = sum(answer.bf16 == answer.int8 for answer in answers)

    assert agreeing >= MIN_AGREEING


def test_tokenizer_and_template_are_the_trained_ones() -> None:
    weights = (DEMO / "weights" / "tokenizer.json").read_bytes()

    assert (DEMO / "1" / "tokenizer.json").read_bytes() == weights
    assert (DEMO / "1" / "chat_template.jinja").read_text(encoding="utf-8") == CHAT_TEMPLATE


def test_the_model_is_small_enough_for_git() -> None:
    assert sum(path.stat().st_size for path in DEMO.rglob("*") if path.is_file()) <= MAX_BYTES
