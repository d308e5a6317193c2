"""README.md: its examples, run as printed, answer what it says."""

import pytest

from scripts.launcher.bootstrap import ROOT
from tests.e2e.conch_process import Conch
from tests.e2e.examples import Example, examples, num_runnable

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = examples(PAGE)


def test_every_block_that_can_be_run_says_what_comes_back() -> None:
    assert len(EXAMPLES) == num_runnable(PAGE) == 3


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.language)
def test_an_example_answers_as_the_readme_says(conch: Conch, example: Example) -> None:
    printed = example.run(conch.url.removeprefix("http://"))

    assert example.differences(printed) == []
