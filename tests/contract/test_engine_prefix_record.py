"""What the engine reports as cached, against how many tokens it still had to compute.

With one token a step, a prompt takes as many steps to its first token as it has tokens that were
not found in the cache.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

import openvino_genai
import pytest

from scripts.launcher.bootstrap import ROOT
from tests.contract.engine_runs import PATIENCE_S, finish, params
from triton_backend.llm.engines.openvino import OpenVinoEngine, OpenVinoOptions
from triton_backend.llm.engines.prefix_record import BLOCK_TOKENS

DEMO: Final = ROOT / "model_repository" / "demo" / "1"


class CountingPipeline:
    """The real pipeline with a small cache, one token a step; counts its steps."""

    def __init__(self, num_blocks: int) -> None:
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.num_kv_blocks = num_blocks
        scheduler.cache_size = 0
        scheduler.max_num_batched_tokens = 1
        scheduler.enable_prefix_caching = True
        self._real = openvino_genai.ContinuousBatchingPipeline(DEMO, scheduler, "CPU")
        self.num_steps = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def step(self) -> None:
        self.num_steps += 1
        self._real.step()


class Counted:
    """An engine over such a pipeline."""

    def __init__(self, num_blocks: int) -> None:
        self.pipeline = CountingPipeline(num_blocks)
        self.engine = OpenVinoEngine(lambda: self.pipeline, OpenVinoOptions(), lambda guide: None)

    def run(self, ids: Sequence[int], max_tokens: int = 1) -> tuple[int, int, list[int]]:
        """Tokens reported as cached, tokens that were, and what was generated."""
        before = self.pipeline.num_steps
        run = finish(self.engine, params(max_tokens=max_tokens), ids)
        # The steps of the first token compute the prompt; each later token takes one more.
        num_computed = self.pipeline.num_steps - before - (len(run.ids) - 1)
        return run.deltas[-1].cached_tokens, len(ids) - num_computed, run.ids


@pytest.fixture(scope="module")
def roomy() -> Iterator[Counted]:
    counted = Counted(num_blocks=256)
    yield counted
    counted.engine.close(timeout_s=PATIENCE_S)


@pytest.fixture
def tight() -> Iterator[Counted]:
    counted = Counted(num_blocks=24)
    yield counted
    counted.engine.close(timeout_s=PATIENCE_S)


@pytest.fixture
def prompt(request: pytest.FixtureRequest) -> list[int]:
    """100 tokens that no other test has sent."""
    return some_tokens(100, seed=request.node.name)


def some_tokens(count: int, seed: str) -> list[int]:
    chance = random.Random(seed)
    return [chance.randrange(5, 900) for _ in range(count)]


@pytest.mark.parametrize(
    ("num_kept", "rest", "reported"),
    [
        (100, [], 96),
        (100, [7, 7], 96),
        (64, [], 63),
        (65, [], 64),
        (40, [7, 7], 32),
        (BLOCK_TOKENS - 1, [], 0),
        (0, [7] * 99, 0),
    ],
)
def test_whole_blocks_of_a_prompt_seen_before_are_reported(
    roomy: Counted, prompt: list[int], num_kept: int, rest: list[int], reported: int
) -> None:
    first, _, _ = roomy.run(prompt)
    so_far = roomy.engine.stats().cached_tokens

    told, found, _ = roomy.run(prompt[:num_kept] + rest)

    assert first == 0
    assert told == reported <= found
    assert roomy.engine.stats().cached_tokens - so_far == reported


def test_an_earlier_answer_is_cached_but_for_its_last_token(
    roomy: Counted, prompt: list[int]
) -> None:
    _, _, answer = roomy.run(prompt, max_tokens=28)
    seen = [*prompt, *answer]

    told, found, _ = roomy.run([*seen, 7, 7])
    _, _, next_token = roomy.run(seen)
    told_later, found_later, _ = roomy.run([*seen, *next_token, 7])

    assert len(seen) == 4 * BLOCK_TOKENS
    assert told == 3 * BLOCK_TOKENS <= found
    assert told_later == 4 * BLOCK_TOKENS <= found_later


def test_no_more_is_ever_reported_than_was_found(tight: Counted) -> None:
    chance = random.Random(7)
    stems = [some_tokens(160, seed=name) for name in "abcd"]
    runs = [
        tight.run(chance.choice(stems)[: chance.randrange(20, 160)], chance.randrange(1, 40))
        for _ in range(30)
    ]

    assert all(told <= found for told, found, _ in runs)
    assert sum(told > 0 for told, _, _ in runs) > 2
