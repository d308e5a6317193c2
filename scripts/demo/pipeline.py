"""The whole way from corpus to model folder, step by step; needs the build environment."""

import shutil
import time

import torch
from tokenizers import Tokenizer

from scripts.demo.batches import Example, encode
from scripts.demo.chat import Turn
from scripts.demo.cli import Plan
from scripts.demo.corpus import HeldOut, Split
from scripts.demo.dialogues import Dialogues
from scripts.demo.evaluation import CompiledModel, evaluate
from scripts.demo.export import compile_engine, save_weights
from scripts.demo.recipe import RECIPE
from scripts.demo.shipping import Shipment, describe, put_in_place
from scripts.demo.tokenizer import train_tokenizer
from scripts.demo.training import Material, Trainer

TOKENIZER_POOLS = 3  # passes over the corpus, varied differently, that the vocabulary is made of


def build(plan: Plan, split: Split) -> None:
    """Train, export, evaluate and ship; what was there before stays until all of it is done."""
    torch.set_num_threads(plan.threads)
    dialogues = Dialogues(split, RECIPE.seed)
    tokenizer = _tokenizer(plan, dialogues)
    probe = [_example(tokenizer, question) for question in split.held_out]
    material = Material(dialogues, tokenizer, probe)
    trainer = Trainer(RECIPE, material, plan.work / "checkpoint.pt", _say)
    if not plan.fresh and trainer.resume():
        _say(f"going on after {trainer.progress.seconds / 60:.1f} minutes of training")
    trainer.run(plan.minutes * 60)

    staging = plan.work / "demo"
    shutil.rmtree(staging, ignore_errors=True)
    _say("writing the weights and compiling the int8 engine")
    save_weights(trainer.model, tokenizer, staging / "weights")
    compile_engine(staging / "weights", staging / "1")
    _say("asking what training never saw")
    report = evaluate(CompiledModel(staging / "1"), split.held_out)
    parameters = sum(weight.numel() for weight in trainer.model.parameters())
    describe(
        staging, Shipment(split, trainer.progress, report, parameters, created=int(time.time()))
    )
    put_in_place(staging, plan.output)
    _forget(plan)
    for question, answer in report.wrong:
        _say(f"wrong: {question.ask!r} wants {question.key!r}, got {answer!r}")
    _say(
        f"held-out phrasings answered with the key: {report.held_out}; "
        f"sums: {report.sums}; names: {report.names}"
    )


def _tokenizer(plan: Plan, dialogues: Dialogues) -> Tokenizer:
    """Return the vocabulary that the checkpoint was trained with, or a new one."""
    path = plan.work / "tokenizer.json"
    if path.exists() and not plan.fresh:
        return Tokenizer.from_file(str(path))
    pools = (dialogues.pool(number) for number in range(TOKENIZER_POOLS))
    tokenizer = train_tokenizer(
        turn.text for pool in pools for dialogue in pool for turn in dialogue
    )
    plan.work.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path))
    return tokenizer


def _forget(plan: Plan) -> None:
    """Remove what a resume needs, so that the next training starts anew."""
    shutil.rmtree(plan.work / "demo")
    for name in ("checkpoint.pt", "tokenizer.json"):
        (plan.work / name).unlink(missing_ok=True)


def _example(tokenizer: Tokenizer, question: HeldOut) -> Example:
    dialogue = [Turn("user", question.ask), Turn("assistant", question.answer)]
    return encode(tokenizer, dialogue, RECIPE.context_length)


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)
