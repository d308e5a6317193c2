"""The likeliest tokens beside each chosen one, from a TensorRT-LLM engine that keeps all logits."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.engine_runs import PATIENCE_S, finish, params, start
from tests.tensorrt_llm_machine import checkpoint_folder, engine_folder, machine, opened_llm
from triton_backend.llm.engines import open_engine
from triton_backend.llm.engines.protocol import Engine
from triton_backend.llm.engines.tensorrt_llm_check import checked_build
from triton_backend.llm.engines.tensorrt_llm_options import read_settings
from triton_backend.llm.errors import LoadError
from triton_backend.llm.manifest import read_manifest
from triton_backend.llm.request import Sampling

LONG = 100_000
SAMPLED = Sampling(temperature=1, ignore_eos=True)


@pytest.fixture
def top_engine(tmp_path: Path) -> Iterator[Engine]:
    folder = engine_folder(tmp_path / "repository", top_log_probs=True)
    with machine(tmp_path):
        one = open_engine(folder, read_manifest(folder))
        yield one
        one.close(timeout_s=PATIENCE_S)


@pytest.mark.parametrize("num_top", [1, 5, 20])
@pytest.mark.parametrize("log_probs", [True, False])
def test_the_likeliest_tokens_are_told_in_order(
    top_engine: Engine, num_top: int, *, log_probs: bool
) -> None:
    sampling = replace(SAMPLED, log_probs=log_probs, top_log_probs=num_top)

    run = finish(top_engine, params(sampling, max_tokens=12))

    tops = [top for delta in run.deltas for top in delta.top_log_probs]
    assert [one for delta in run.deltas for one in delta.log_probs] == [-i / 100 for i in run.ids]
    assert [len(top) for top in tops] == [num_top] * len(run.ids)
    assert all(list(top) == sorted(top, key=lambda pair: -pair[1]) for top in tops)
    # The double puts even tokens among their likeliest, and odd ones below them.
    assert [dict(top).get(one) for one, top in zip(run.ids, tops, strict=True)] == [
        -one / 100 if one % 2 == 0 else None for one in run.ids
    ]


def test_the_likeliest_tokens_of_a_stop_token_are_left_out_with_it(top_engine: Engine) -> None:
    sampling = Sampling(temperature=1, top_log_probs=2)
    free = finish(top_engine, params(replace(sampling, ignore_eos=True), max_tokens=9))

    run = finish(top_engine, params(sampling, max_tokens=9, stop_token_ids=(1, free.ids[6])))

    assert run.ids == free.ids[: free.ids.index(free.ids[6])]
    assert [len(delta.top_log_probs) for delta in run.deltas] == [len(d.ids) for d in run.deltas]


def test_a_sequence_with_likeliest_tokens_can_be_cancelled(top_engine: Engine) -> None:
    run = start(top_engine, params(replace(SAMPLED, top_log_probs=3), max_tokens=LONG))
    run.wait_for_tokens(3)

    run.cancel()

    assert run.wait_for_end().finish == "cancelled"


def test_the_likeliest_tokens_are_offered_only_where_the_logits_are_kept(
    top_engine: Engine, tmp_path: Path
) -> None:
    assert "top_log_probs" in top_engine.capabilities
    assert opened_llm().arguments["gather_generation_logits"] is True

    folder = checkpoint_folder(tmp_path / "other", top_log_probs=True)
    with pytest.raises(LoadError, match="compiled engines only"):
        read_settings(folder, manifest := read_manifest(folder), checked_build(folder, manifest))
