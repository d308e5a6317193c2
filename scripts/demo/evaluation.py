"""Questions to the compiled model at temperature 0, and how many it answers right."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import openvino as ov
import openvino_genai as genai
from tokenizers import Tokenizer

from scripts.demo import generated
from scripts.demo.chance import Chance
from scripts.demo.chat import TEXT_END, TURN_END, Turn, prompt
from scripts.demo.corpus import HeldOut
from scripts.demo.words import UNSEEN_NAMES

MAX_NEW_TOKENS: Final = 200


class CompiledModel:
    """The OpenVINO engine in a model's version folder, without Triton around it."""

    def __init__(self, folder: Path) -> None:
        settings = genai.SchedulerConfig()
        settings.cache_size = 1  # GB
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._pipeline = genai.ContinuousBatchingPipeline(str(folder), settings, "CPU")

    def greedy_ids(self, prompts: Sequence[str], max_new_tokens: int) -> list[list[int]]:
        """Return the tokens that the model writes after each prompt, all prompts at once."""
        ids = [self._tokenizer.encode(text).ids for text in prompts]
        tensors = [ov.Tensor(np.array([row], dtype=np.int64)) for row in ids]
        results = self._pipeline.generate(tensors, [self._greedy(max_new_tokens)] * len(tensors))
        return [list(result.m_generation_ids[0]) for result in results]

    def answers(self, dialogues: Sequence[Sequence[Turn]]) -> list[str]:
        """Return the model's next turn of each dialogue as text."""
        rows = self.greedy_ids([prompt(dialogue) for dialogue in dialogues], MAX_NEW_TOKENS)
        return [self._tokenizer.decode(row) for row in rows]

    def _greedy(self, max_new_tokens: int) -> genai.GenerationConfig:
        config = genai.GenerationConfig()
        config.max_new_tokens = max_new_tokens
        config.eos_token_id = self._tokenizer.token_to_id(TURN_END)
        config.stop_token_ids = {
            self._tokenizer.token_to_id(TURN_END),
            self._tokenizer.token_to_id(TEXT_END),
        }
        return config


@dataclass(frozen=True)
class Score:
    """How many of the questions of one kind were answered right."""

    right: int
    asked: int

    def __str__(self) -> str:
        return f"{self.right} of {self.asked} ({self.right / self.asked:.0%})"


@dataclass(frozen=True)
class Report:
    """What the model card says about the finished model."""

    held_out: Score
    sums: Score
    names: Score
    wrong: tuple[tuple[HeldOut, str], ...]  # held-out questions with the wrong answers


def evaluate(model: CompiledModel, held_out: Sequence[HeldOut]) -> Report:
    """Ask what training never saw: phrasings, sums, and names told two turns before."""
    answers = model.answers([[Turn("user", question.ask)] for question in held_out])
    pairs = list(zip(held_out, answers, strict=True))
    wrong = tuple(pair for pair in pairs if not pair[0].is_answered_by(pair[1]))
    return Report(
        held_out=Score(len(pairs) - len(wrong), len(pairs)),
        sums=_score_sums(model),
        names=_score_names(model),
        wrong=wrong,
    )


def _score_sums(model: CompiledModel) -> Score:
    sums = generated.held_out_sums()
    answers = model.answers([[Turn("user", question.ask)] for question in sums])
    right = (
        answer.split("=")[-1].strip() == q.answer for q, answer in zip(sums, answers, strict=True)
    )
    return Score(sum(right), len(sums))


def _score_names(model: CompiledModel) -> Score:
    rng = Chance("unseen names")
    dialogues = [_name_dialogue(name, rng) for name in UNSEEN_NAMES]
    answers = model.answers(dialogues)
    right = (name in answer for name, answer in zip(UNSEEN_NAMES, answers, strict=True))
    return Score(sum(right), len(UNSEEN_NAMES))


def _name_dialogue(name: str, rng: Chance) -> list[Turn]:
    told, asked = generated.told_name(name, rng), generated.asked_name(name, rng)
    between = generated.a_sum(rng)
    return [
        Turn("user", f"My name is {name}."),
        Turn("assistant", told.answer.replace(name.lower(), name)),
        Turn("user", between.ask),
        Turn("assistant", between.answer),
        Turn("user", asked.ask),
    ]
