"""The demo model's card, model_repository/demo/README.md, with the figures of its training.

The text is card.md, beside this file.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.demo.evaluation import Report
from scripts.demo.recipe import RECIPE

_TEMPLATE: Final = Path(__file__).with_suffix(".md")


@dataclass(frozen=True)
class Facts:
    """The figures that the card states; sizes in units of 1,000,000 bytes."""

    questions: int
    topics: int
    phrasings: int
    million_parameters: float
    vocab_size: int
    minutes: float
    resumed: int
    steps: int
    million_tokens: float
    weights_mb: float
    engine_mb: float
    agreeing: int
    checked: int


_RESUMED: Final = (
    " It went on from a checkpoint {} time(s), and the mix of dialogues was changed in between, so"
    " a run from the start gives other weights."
)


def card(facts: Facts, report: Report) -> str:
    """Return the card in Markdown."""
    template = _TEMPLATE.read_text(encoding="utf-8")
    resumed = _RESUMED.format(facts.resumed) if facts.resumed else ""
    return template.format(facts=facts, report=report, recipe=RECIPE, resumed=resumed)
