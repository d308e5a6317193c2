"""What lies beside the engine in model_repository/demo, and how it gets there.

A record (weights/compile.json) ties the compiled engine to the weights: the hashes of
both, and what both answer to ten prompts at temperature 0.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer

from scripts.demo.card import Facts, card
from scripts.demo.chat import TEXT_END, TURN_END, Turn, prompt
from scripts.demo.corpus import Split
from scripts.demo.evaluation import CompiledModel, Report
from scripts.demo.export import ENGINE_FILES, WEIGHT_FILES, hashes, reference_ids, write_json
from scripts.demo.recipe import RECIPE
from scripts.demo.tokenizer import VOCAB_SIZE
from scripts.demo.training import Progress
from triton_backend.llm.engines.openvino import CAPABILITIES

CHECK_TOKENS: Final = 64
CHECK_QUESTIONS: Final = (
    "What is Conch?",
    "How do I start Conch?",
    "Make a table of engines",
    "What is 7 + 8?",
    "Bonjour",
    "List the planets",
    "Tell me a joke",
    "python hello world",
    "How do I add a model?",
    "你好",
)

CONFIG: Final = """\
backend: "llm"
max_batch_size: 1
model_transaction_policy { decoupled: true }
instance_group [ { kind: KIND_CPU, count: 1 } ]
"""


@dataclass(frozen=True)
class Shipment:
    """A finished training and how well its engine does."""

    split: Split
    progress: Progress
    report: Report
    parameters: int
    created: int  # Unix seconds


def describe(folder: Path, shipment: Shipment) -> None:
    """Write config.pbtxt, engine.json, the compile record and the card into the model folder."""
    weights, version = folder / "weights", folder / "1"
    (folder / "config.pbtxt").write_text(CONFIG, encoding="utf-8")
    write_json(version / "engine.json", _manifest(folder, shipment))
    agreeing = _record(weights, version)
    facts = _facts(shipment, folder, agreeing)
    (folder / "README.md").write_text(card(facts, shipment.report), encoding="utf-8")


def put_in_place(staging: Path, output: Path) -> None:
    """Move the finished folder to the output by renames, so that it is never half there."""
    fresh, old = output.with_name(".demo-new"), output.with_name(".demo-old")
    for folder in (fresh, old):
        shutil.rmtree(folder, ignore_errors=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(staging, fresh)
    if output.exists():
        output.rename(old)
    fresh.rename(output)
    shutil.rmtree(old, ignore_errors=True)


def _facts(shipment: Shipment, folder: Path, agreeing: int) -> Facts:
    questions, progress = shipment.split.questions, shipment.progress
    trained = sum(len(question.ask) for question in questions)
    return Facts(
        questions=len(questions),
        topics=len({question.topic for question in questions}),
        phrasings=trained + len(shipment.split.held_out),
        million_parameters=shipment.parameters / 1e6,
        vocab_size=VOCAB_SIZE,
        minutes=progress.seconds / 60,
        resumed=progress.resumed,
        steps=progress.steps,
        million_tokens=progress.tokens / 1e6,
        weights_mb=_size_mb(folder / "weights"),
        engine_mb=_size_mb(folder / "1"),
        agreeing=agreeing,
        checked=len(CHECK_QUESTIONS),
    )


def _manifest(folder: Path, shipment: Shipment) -> dict[str, object]:
    tokenizer = Tokenizer.from_file(str(folder / "1" / "tokenizer.json"))
    return {
        "engine": "openvino",
        "capabilities": sorted(CAPABILITIES),
        "context_length": RECIPE.context_length,
        "eos_token_ids": [tokenizer.token_to_id(TURN_END), tokenizer.token_to_id(TEXT_END)],
        "chat_template": "chat_template.jinja",
        "tool_format": "hermes",
        "reasoning_format": None,
        "quantization": "int8",
        "created": shipment.created,
        "source": {
            "repository": "conch/demo",
            "revision": shipment.progress.fingerprint,
            "files": {
                f"weights/{name}": digest
                for name, digest in hashes(folder / "weights", WEIGHT_FILES).items()
            },
        },
        "options": {"cache_size_gb": 1, "max_num_seqs": 64},
    }


def _record(weights: Path, version: Path) -> int:
    """Write compile.json; return how many prompts both precisions continue alike."""
    prompts = [prompt([Turn("user", question)]) for question in CHECK_QUESTIONS]
    bf16 = reference_ids(weights, prompts, CHECK_TOKENS)
    int8 = CompiledModel(version).greedy_ids(prompts, CHECK_TOKENS)
    answers = [
        {"prompt": text, "bf16": reference, "int8": compiled}
        for text, reference, compiled in zip(prompts, bf16, int8, strict=True)
    ]
    record = {
        "weights": hashes(weights, WEIGHT_FILES),
        "engine": hashes(version, ENGINE_FILES),
        "max_new_tokens": CHECK_TOKENS,
        "answers": answers,
    }
    write_json(weights / "compile.json", record)
    return sum(answer["bf16"] == answer["int8"] for answer in answers)


def _size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
