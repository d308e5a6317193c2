"""What every engine promises, run against each of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.engine_runs import PATIENCE_S, PROMPT, finish, params, start
from tests.tensorrt_llm_machine import checkpoint_folder, engine_folder, machine
from triton_backend.llm.engines import open_engine
from triton_backend.llm.engines.protocol import Engine
from triton_backend.llm.engines.simulated import write_model_folder
from triton_backend.llm.errors import EngineFailed
from triton_backend.llm.manifest import read_manifest
from triton_backend.llm.request import Sampling

DEMO = Path(__file__).parents[2] / "model_repository" / "demo" / "1"
LONG = 1_000
OpenEngine = Callable[[], Engine]


def simulated_folder(repository: Path) -> Path:
    return write_model_folder(
        repository, "fake", first_token_ms=1, token_ms=1, max_batch=64, tokenizer_from=DEMO
    )


FOLDERS: dict[str, Callable[[Path], Path]] = {
    "simulated": simulated_folder,
    "openvino": lambda _: DEMO,
    "tensorrt_llm, compiled": engine_folder,
    "tensorrt_llm, checkpoint": checkpoint_folder,
}


@pytest.fixture(scope="module", params=FOLDERS)
def open_new(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenEngine]:
    folder = FOLDERS[request.param](tmp_path_factory.mktemp("repository"))
    version = "1.3.0" if "checkpoint" in request.param else "1.2.1"
    with machine(tmp_path_factory.mktemp("machine"), version=version):
        yield lambda: open_engine(folder, read_manifest(folder))


@pytest.fixture(scope="module")
def engine(open_new: OpenEngine) -> Iterator[Engine]:
    one = open_new()
    yield one
    one.close(timeout_s=PATIENCE_S)


def test_a_sequence_ends_after_max_tokens_with_length(engine: Engine) -> None:
    run = finish(engine, params(max_tokens=7))

    assert len(run.ids) == 7
    assert run.finish == "length"


def test_only_the_last_delta_ends_a_sequence(engine: Engine) -> None:
    run = finish(engine, params(max_tokens=20))

    assert [delta.is_last for delta in run.deltas][:-1] == [False] * (len(run.deltas) - 1)
    assert run.deltas[-1].is_last


def test_an_end_token_stops_and_is_not_part_of_the_answer(engine: Engine) -> None:
    sampling = Sampling(temperature=1)
    free = finish(engine, params(Sampling(temperature=1, ignore_eos=True), max_tokens=30))
    end_id = free.ids[12]

    run = finish(engine, params(sampling, max_tokens=30, stop_token_ids=(end_id,)))

    assert run.ids == free.ids[: free.ids.index(end_id)]
    assert run.finish == "stop"


def test_end_tokens_can_be_ignored(engine: Engine) -> None:
    free = finish(engine, params(max_tokens=10))

    sampling = Sampling(temperature=0, ignore_eos=True)
    run = finish(engine, params(sampling, max_tokens=10, stop_token_ids=(free.ids[0],)))

    assert run.ids == free.ids


def test_min_tokens_come_before_any_end_token(engine: Engine) -> None:
    free = finish(engine, params(max_tokens=10))

    sampling = Sampling(temperature=0, min_tokens=5)
    run = finish(engine, params(sampling, max_tokens=10, stop_token_ids=(free.ids[0],)))

    assert len(run.ids) >= 5


def test_the_same_seed_gives_the_same_tokens(engine: Engine) -> None:
    sampling = Sampling(temperature=1, ignore_eos=True)

    first, again = (finish(engine, params(sampling, max_tokens=30, seed=7)) for _ in range(2))
    other = finish(engine, params(sampling, max_tokens=30, seed=8))

    assert first.ids == again.ids
    assert first.ids != other.ids


@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_every_seed_of_64_bits_is_taken(engine: Engine, seed: int) -> None:
    run = finish(engine, params(Sampling(temperature=1, ignore_eos=True), seed=seed))

    assert run.finish == "length"


def test_a_seed_gives_the_same_tokens_among_others_but_for_rounding(engine: Engine) -> None:
    sampling = Sampling(temperature=1, ignore_eos=True)
    equal = 0
    for seed in range(6):
        asked = params(sampling, max_tokens=40, seed=seed)
        alone = finish(engine, asked)
        prompts = [[20 + seed + index] * (10 + 7 * index) for index in range(7)]
        others = [start(engine, params(max_tokens=60), prompt) for prompt in prompts]

        among = finish(engine, asked)

        assert [other.wait_for_end().finish for other in others] == ["length"] * 7
        equal += among.ids == alone.ids
    # A real engine's sums depend on the batch in the last bits, which rarely tips a draw.
    assert equal >= 4


def test_many_sequences_run_at_once_and_all_end(engine: Engine) -> None:
    runs = [start(engine, params(max_tokens=5 + index % 3)) for index in range(100)]

    assert [len(run.wait_for_end().ids) for run in runs] == [5 + index % 3 for index in range(100)]


def test_a_cancelled_sequence_ends_soon_as_cancelled(engine: Engine) -> None:
    run = start(engine, params(max_tokens=LONG))
    run.wait_for_tokens(3)

    run.cancel()
    run.wait_for_end()

    assert run.finish == "cancelled"
    assert len(run.ids) < LONG


def test_cancelling_one_leaves_the_others_alone(engine: Engine) -> None:
    gone, stays = start(engine, params(max_tokens=LONG)), start(engine, params(max_tokens=60))

    stays.wait_for_tokens(5)
    gone.cancel()
    stays.wait_for_end()

    assert (stays.finish, len(stays.ids)) == ("length", 60)
    assert gone.wait_for_end().finish == "cancelled"


def test_a_sequence_cancelled_while_it_waits_ends_without_tokens(engine: Engine) -> None:
    busy = [start(engine, params(max_tokens=LONG)) for _ in range(engine.stats().max_running)]
    waiting = start(engine, params(max_tokens=LONG))

    waiting.cancel()
    waiting.wait_for_end()
    for run in busy:
        run.cancel()

    assert waiting.ids == []
    assert waiting.finish == "cancelled"
    assert {run.wait_for_end().finish for run in busy} == {"cancelled"}


def test_cancelling_twice_or_after_the_end_does_nothing(engine: Engine) -> None:
    run = finish(engine, params(max_tokens=2))

    run.cancel()
    run.cancel()

    assert finish(engine, params(max_tokens=2)).finish == "length"
    assert len([delta for delta in run.deltas if delta.is_last]) == 1


def test_figures_follow_the_sequences_and_return_to_zero(engine: Engine) -> None:
    before = engine.stats()
    runs = [start(engine, params(max_tokens=LONG)) for _ in range(before.max_running + 3)]
    runs[0].wait_for_tokens(3)
    during = engine.stats()

    for run in runs:
        run.cancel()
    for run in runs:
        run.wait_for_end()
    after = engine.stats()

    assert (during.running, during.waiting) == (before.max_running, 3)
    assert 0 < during.kv_blocks_used <= during.kv_blocks_total
    assert (after.running, after.waiting, after.kv_blocks_used) == (0, 0, 0)
    assert after.prompt_tokens - before.prompt_tokens == before.max_running * len(PROMPT)
    assert after.generated_tokens - before.generated_tokens == sum(len(run.ids) for run in runs)


def test_closing_ends_everything_and_refuses_more(open_new: OpenEngine) -> None:
    engine = open_new()
    runs = [start(engine, params(max_tokens=LONG)) for _ in range(3)]
    runs[0].wait_for_tokens(1)

    engine.close(timeout_s=PATIENCE_S)

    assert {run.wait_for_end().finish for run in runs} == {"cancelled"}
    assert not engine.is_alive
    with pytest.raises(EngineFailed):
        start(engine, params())
