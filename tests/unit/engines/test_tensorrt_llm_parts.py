"""The pure parts of the TensorRT-LLM engine, one rule each."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.tensorrt_llm_machine import machine
from triton_backend.llm.engines.protocol import SequenceParams
from triton_backend.llm.engines.tensorrt_llm_cursor import Cursor
from triton_backend.llm.engines.tensorrt_llm_failures import death, refusal, request_failure
from triton_backend.llm.engines.tensorrt_llm_library import load_library, prepare_environment
from triton_backend.llm.engines.tensorrt_llm_sampling import sampling_arguments
from triton_backend.llm.engines.tensorrt_llm_stats import KvCache
from triton_backend.llm.engines.tensorrt_llm_upkeep import drain_stats
from triton_backend.llm.errors import EngineFailed, InvalidRequest, LoadError, Overloaded
from triton_backend.llm.manifest import ENGINE
from triton_backend.llm.request import Sampling


def response(ids: list[int], reason: str | None = None, log_probs: Any = ()) -> Any:
    output = SimpleNamespace(token_ids=ids, finish_reason=reason, logprobs=log_probs)
    return SimpleNamespace(outputs=[output], finished=reason is not None, cached_tokens=4)


def read(*responses: Any, stops: tuple[int, ...] = (9,)) -> list[tuple[tuple[int, ...], Any]]:
    cursor = Cursor(stops, has_log_probs=False)
    return [(delta.ids, delta.finish) for delta in map(cursor.read, responses)]


def test_only_what_is_new_is_read() -> None:
    told = read(response([1]), response([1]), response([1, 2, 3]), response([1, 2, 3], "length"))

    assert told == [((1,), None), ((), None), ((2, 3), None), ((), "length")]


def test_a_stop_token_that_is_taken_off_again_is_never_told() -> None:
    assert read(response([1, 9]), response([1], "stop")) == [((1,), None), ((), "stop")]


def test_an_end_token_that_is_left_on_is_taken_off() -> None:
    assert read(response([1, 9], "stop")) == [((1,), "stop")]


def test_a_stop_token_that_stays_comes_with_the_next() -> None:
    # While min_tokens have not come, the engine goes on after one.
    assert read(response([9]), response([9, 1])) == [((), None), ((9, 1), None)]


def test_the_last_of_max_tokens_is_told_even_if_it_could_stop() -> None:
    assert read(response([1, 9], "length")) == [((1, 9), "length")]


def test_tokens_that_vanish_are_tolerated() -> None:
    assert read(response([1, 2]), response([1], "stop")) == [((1, 2), None), ((), "stop")]


def test_missing_log_probs_fail_the_request() -> None:
    cursor = Cursor((), has_log_probs=True)

    with pytest.raises(EngineFailed, match="left out"):
        cursor.read(response([1], log_probs=[{2: SimpleNamespace(logprob=-1.0)}]))
    with pytest.raises(EngineFailed, match="left out"):
        cursor.read(response([1], log_probs=[]))


def test_missing_likeliest_tokens_fail_the_request() -> None:
    cursor = Cursor((), has_log_probs=False, num_top=2)

    for entry in (-1.0, {1: SimpleNamespace(logprob=-1.0)}):
        with pytest.raises(EngineFailed, match="left out"):
            cursor.read(response([1], log_probs=[entry]))


def test_likeliest_tokens_are_asked_for_instead_of_the_chosen_ones_alone() -> None:
    given = arguments(Sampling(log_probs=True, top_log_probs=4))

    assert given["logprobs"] == 4
    assert "_return_log_probs" not in given


def test_cached_tokens_are_told_once() -> None:
    cursor = Cursor((), has_log_probs=False)

    told = [cursor.read(one).cached_tokens for one in (response([1]), response([1], "stop"))]

    assert told == [0, 4]


def arguments(sampling: Sampling, *stops: int) -> dict[str, Any]:
    return sampling_arguments(SequenceParams(sampling, 7, 5, stops), ENGINE, 16)


def test_end_seed_and_length_are_always_given() -> None:
    given = arguments(Sampling(temperature=1), 3, 4, 4)

    expected = {"end_id": 3, "pad_id": 3, "stop_token_ids": [4], "seed": 5, "max_tokens": 7}
    assert {name: given[name] for name in expected} == expected
    assert given["detokenize"] is False


def test_sampling_is_never_greedy_by_omission() -> None:
    given = arguments(Sampling(temperature=0.5), 3)

    assert (given["temperature"], given["top_p"], given["top_k"]) == (0.5, 1.0, 0)


@pytest.mark.parametrize("temperature", [0.0, 1e-9])
def test_no_temperature_is_greedy(temperature: float) -> None:
    given = arguments(Sampling(temperature=temperature), 3)

    assert given["top_k"] == 1
    assert "temperature" not in given


def test_ignored_end_tokens_are_not_handed_over_as_stops() -> None:
    given = arguments(Sampling(ignore_eos=True), 3, 4)

    assert given["ignore_eos"]
    assert "stop_token_ids" not in given


def test_a_model_without_end_tokens_never_asks_a_tokenizer() -> None:
    given = arguments(Sampling())

    assert (given["end_id"], given["ignore_eos"]) == (0, True)


@pytest.mark.parametrize("error", [ValueError(), TypeError(), AssertionError(), IndexError()])
def test_a_refused_submission_is_the_requests_own(error: Exception) -> None:
    assert isinstance(refusal(error), InvalidRequest)


def test_any_other_failed_submission_is_the_engines_death() -> None:
    assert refusal(RuntimeError("LLM is shutting down")) is None
    assert isinstance(death(RuntimeError("LLM is shutting down")), Overloaded)
    assert isinstance(death(OSError()), EngineFailed)


def test_what_the_library_says_stays_out_of_the_answer() -> None:
    secret = "/models/x: grammar exceeds length"

    for has_guide in (True, False):
        assert "/models" not in request_failure(RuntimeError(secret), has_guide=has_guide).message


def test_figures_that_are_missing_leave_the_last_ones() -> None:
    cache = KvCache()

    for stats in ({"kvCacheStats": {"usedNumBlocks": 3, "maxNumBlocks": 9}}, {}, "text", None):
        cache.take(stats)

    assert (cache.blocks_used, cache.blocks_total) == (3, 9)


class LlmWithoutStats:
    """Its statistics fail, as a beta interface may."""

    async def get_stats_async(self, timeout: float) -> AsyncIterator[dict[str, Any]]:
        yield {"kvCacheStats": {"usedNumBlocks": 1}}
        raise RuntimeError("no more")


async def test_statistics_that_fail_end_nothing_else() -> None:
    cache = KvCache()

    async with asyncio.timeout(5):
        await drain_stats(LlmWithoutStats(), cache)

    assert cache.blocks_used == 1


def test_a_library_without_compiled_engines_is_one_sentence(tmp_path: Path) -> None:
    with machine(tmp_path, version="1.4.0"), pytest.raises(LoadError, match="_tensorrt_engine"):
        load_library(ENGINE)


def test_the_environment_is_made_fit_for_its_workers() -> None:
    environ = {"PYTHONHOME": "/usr", "KEPT": "1"}

    prepare_environment(environ, single_process=True)

    assert "PYTHONHOME" not in environ
    assert environ["HF_HUB_OFFLINE"] == environ["TLLM_WORKER_USE_SINGLE_PROCESS"] == "1"
    assert (environ["KEPT"], environ["CUDA_DEVICE_ORDER"]) == ("1", "PCI_BUS_ID")
