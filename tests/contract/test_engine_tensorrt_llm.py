"""What only the TensorRT-LLM engine promises, on a double that refuses what is not in the facts."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.contract.engine_runs import PATIENCE_S, finish, params, start
from tests.tensorrt_llm_double import RequestError
from tests.tensorrt_llm_machine import checkpoint_folder, engine_folder, machine, opened_llm
from triton_backend.llm.engines import open_engine
from triton_backend.llm.engines.protocol import Delta, Engine
from triton_backend.llm.engines.tensorrt_llm import TensorRtLlmEngine
from triton_backend.llm.engines.tensorrt_llm_library import load_library
from triton_backend.llm.engines.tensorrt_llm_options import EngineSettings
from triton_backend.llm.errors import EngineFailed, InvalidRequest, LoadError, Overloaded
from triton_backend.llm.manifest import ENGINE, read_manifest
from triton_backend.llm.request import Guide, GuideKind, Sampling

LONG = 100_000
SAMPLED = Sampling(temperature=1, ignore_eos=True)


@pytest.fixture(params=[engine_folder, checkpoint_folder], ids=["compiled", "checkpoint"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    folder = request.param(tmp_path / "repository")
    (folder / "lora" / "pirate").mkdir(parents=True)
    version = "1.3.0" if request.param is checkpoint_folder else "1.2.1"
    with machine(tmp_path, version=version):
        one = open_engine(folder, read_manifest(folder))
        yield one
        one.close(timeout_s=PATIENCE_S)


class Exits:
    """Notes that the process would have ended."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.has_exited = threading.Event()

    def __call__(self, code: int) -> None:
        self.codes.append(code)
        self.has_exited.set()


@pytest.fixture
def exits() -> Exits:
    return Exits()


OpenBare = Callable[..., TensorRtLlmEngine]


@pytest.fixture
def open_bare(tmp_path: Path, exits: Exits) -> Iterator[OpenBare]:
    """An engine whose process does not really end, with limits of the test's."""
    folder = engine_folder(tmp_path / "repository")
    settings = EngineSettings(frozenset(), ENGINE, max_running=4, vocab_size=512)
    settings = replace(settings, exit_process=exits, exit_grace_s=0.001, shutdown_grace_s=0.001)
    opened: list[TensorRtLlmEngine] = []

    def open_one(**changes: Any) -> TensorRtLlmEngine:
        library = load_library(ENGINE)
        arguments = {"kv_cache_config": {}, "skip_tokenizer_init": True, "max_batch_size": 4}
        changed = replace(settings, **changes)
        model = str(folder / "engine")
        opened.append(TensorRtLlmEngine(library, lambda: library.llm(model, **arguments), changed))
        return opened[-1]

    with machine(tmp_path), pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONHOME")
        yield open_one
        for one in opened:
            one.close(timeout_s=PATIENCE_S)


def failure(delta: Delta) -> Exception:
    assert delta.error is not None
    return delta.error


def test_log_probs_are_those_of_the_chosen_tokens(engine: Engine) -> None:
    run = finish(engine, params(replace(SAMPLED, log_probs=True), max_tokens=5))

    assert [one for delta in run.deltas for one in delta.log_probs] == [-i / 100 for i in run.ids]


def test_log_probs_of_a_stop_token_are_left_out_with_it(engine: Engine) -> None:
    sampling = Sampling(temperature=1, log_probs=True)
    free = finish(engine, params(replace(sampling, ignore_eos=True), max_tokens=9))

    run = finish(engine, params(sampling, max_tokens=9, stop_token_ids=(1, free.ids[6])))

    assert run.ids == free.ids[: free.ids.index(free.ids[6])]
    assert [len(delta.log_probs) for delta in run.deltas] == [len(d.ids) for d in run.deltas]


def test_an_engine_without_all_logits_offers_no_likeliest_tokens(engine: Engine) -> None:
    assert "top_log_probs" not in engine.capabilities
    assert "gather_generation_logits" not in opened_llm().arguments


@pytest.mark.parametrize("at", [0, 1, 2])
def test_each_of_several_end_tokens_stops(engine: Engine, at: int) -> None:
    free = finish(engine, params(SAMPLED, max_tokens=30))
    stops = [1, 1, 1]
    stops[at] = free.ids[12]

    run = finish(engine, params(Sampling(temperature=1), max_tokens=30, stop_token_ids=(*stops,)))

    assert run.ids == free.ids[: free.ids.index(free.ids[12])]
    assert run.finish == "stop"


def test_min_tokens_beside_several_end_tokens_are_refused(engine: Engine) -> None:
    asked = params(Sampling(temperature=0, min_tokens=5), stop_token_ids=(1, 2))

    with pytest.raises(InvalidRequest, match="min_tokens") as caught:
        engine.check(asked)

    assert caught.value.code == "unsupported_parameter"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", ""),
        ("json_schema", '{"type":"string"}'),
        ("json_schema", '{"type":"string","pattern":"a+"}'),
        ("regex", "a+"),
        ("ebnf_grammar", 'root ::= "a"'),
    ],
)
def test_guides_are_handed_over(engine: Engine, kind: GuideKind, text: str) -> None:
    asked = params(replace(SAMPLED, guide=Guide(kind, text)))
    engine.check(asked)

    assert finish(engine, asked).finish == "length"


@pytest.mark.parametrize(
    "guide", [Guide("json_schema", '{"not":{}}'), Guide("regex", "a" * 100_000)]
)
def test_guides_that_nothing_enforces_are_refused(engine: Engine, guide: Guide) -> None:
    with pytest.raises(InvalidRequest):
        engine.check(params(replace(SAMPLED, guide=guide)))


def test_an_adapter_is_used_by_name_and_an_unknown_one_refused(engine: Engine) -> None:
    run = finish(engine, params(replace(SAMPLED, lora_name="pirate")))

    assert run.finish == "length"
    with pytest.raises(InvalidRequest, match="poet"):
        engine.check(params(replace(SAMPLED, lora_name="poet")))


def test_every_penalty_and_a_bias_are_handed_over(engine: Engine) -> None:
    sampling = replace(
        SAMPLED,
        min_p=0.1,
        repetition_penalty=1.1,
        presence_penalty=0.1,
        frequency_penalty=0.1,
        logit_bias={7: -1.0},
    )

    assert finish(engine, params(sampling)).finish == "length"


def test_a_bias_of_no_token_fails_its_request_alone(engine: Engine) -> None:
    run = finish(engine, params(replace(SAMPLED, logit_bias={9_999: 1.0})))

    assert isinstance(failure(run.deltas[-1]), InvalidRequest)
    assert finish(engine, params()).finish == "length"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Prompt length (9000) exceeds maximum input length (8192).", InvalidRequest),
        ("CUDA error", EngineFailed),
    ],
)
def test_a_failed_request_leaves_the_engine_alive(
    engine: Engine, text: str, kind: type[Exception]
) -> None:
    run = start(engine, params(max_tokens=LONG))
    run.wait_for_tokens(1)

    opened_llm().worker.fail_requests(RequestError(text))
    run.wait_for_end()

    assert type(failure(run.deltas[-1])) is kind
    assert "CUDA" not in str(failure(run.deltas[-1]))
    assert finish(engine, params()).finish == "length"


def test_a_guide_that_does_not_compile_is_the_clients_fault(engine: Engine) -> None:
    run = start(engine, params(replace(SAMPLED, guide=Guide("regex", "a+")), max_tokens=LONG))
    run.wait_for_tokens(1)

    opened_llm().worker.fail_requests(RequestError("xgrammar: invalid regex"))
    run.wait_for_end()

    assert isinstance(failure(run.deltas[-1]), InvalidRequest)


def test_a_result_that_times_out_is_a_failure(engine: Engine) -> None:
    run = start(engine, params(max_tokens=LONG))
    run.wait_for_tokens(1)

    opened_llm().worker.time_out_requests()
    run.wait_for_end()

    assert isinstance(failure(run.deltas[-1]), EngineFailed)
    assert engine.is_alive


def test_a_dead_worker_ends_everything_and_the_process(open_bare: OpenBare, exits: Exits) -> None:
    engine = open_bare()
    runs = [start(engine, params(max_tokens=LONG)) for _ in range(6)]
    runs[0].wait_for_tokens(1)

    opened_llm().worker.die()

    for run in runs:
        assert isinstance(failure(run.wait_for_end().deltas[-1]), EngineFailed)
    assert exits.has_exited.wait(PATIENCE_S)
    assert not engine.is_alive
    with pytest.raises(EngineFailed):
        start(engine, params())


def test_a_dead_worker_ends_a_blocked_process(open_bare: OpenBare, exits: Exits) -> None:
    engine = open_bare()
    worker = opened_llm().worker
    worker.hangs_at_submission = hanging = threading.Event()
    run = start(engine, params())

    worker.die()

    assert exits.has_exited.wait(PATIENCE_S)
    assert not engine.is_alive
    hanging.set()
    assert isinstance(failure(run.wait_for_end().deltas[-1]), EngineFailed)


def test_an_engine_that_falls_silent_is_taken_for_dead(open_bare: OpenBare, exits: Exits) -> None:
    engine = open_bare(silence_limit_s=0.2)
    run = start(engine, params(max_tokens=LONG))
    run.wait_for_tokens(1)

    opened_llm().worker.freeze()

    assert isinstance(failure(run.wait_for_end().deltas[-1]), EngineFailed)
    assert exits.has_exited.wait(PATIENCE_S)


class WatchedProcess(Future[None]):
    """A worker's future that tells when it has been looked at for a good while."""

    def __init__(self) -> None:
        super().__init__()
        self.num_looks = 0
        self.was_looked_at = threading.Event()

    def done(self) -> bool:
        self.num_looks += 1
        if self.num_looks > 6:
            self.was_looked_at.set()
        return super().done()


def test_an_idle_engine_may_be_silent_for_ever(open_bare: OpenBare) -> None:
    # Long enough for a token on a busy machine, which is another silence.
    engine = open_bare(silence_limit_s=1)
    finish(engine, params())

    opened_llm()._executor.mpi_futures = [process := WatchedProcess()]
    assert process.was_looked_at.wait(PATIENCE_S)  # four looks within each limit

    assert finish(engine, params()).finish == "length"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError("a background error"), EngineFailed),
        (RuntimeError("LLM is shutting down"), Overloaded),
    ],
)
def test_an_error_that_is_not_the_requests_own_ends_the_engine(
    open_bare: OpenBare, exits: Exits, error: Exception, kind: type[Exception]
) -> None:
    engine = open_bare()
    opened_llm().worker.error_for_next = error

    run = start(engine, params()).wait_for_end()

    assert type(failure(run.deltas[-1])) is kind
    assert exits.has_exited.wait(PATIENCE_S)


def test_a_shutdown_that_hangs_is_given_up_and_the_process_ended(
    open_bare: OpenBare, exits: Exits
) -> None:
    engine = open_bare()
    run = start(engine, params(max_tokens=LONG))
    run.wait_for_tokens(1)
    opened_llm().worker.hangs_at_shutdown = hanging = threading.Event()

    engine.close(timeout_s=0.1)

    assert run.wait_for_end().finish == "cancelled"
    assert exits.has_exited.wait(PATIENCE_S)
    hanging.set()


def test_what_the_library_cannot_load_is_one_sentence(open_bare: OpenBare, tmp_path: Path) -> None:
    (tmp_path / "repository" / "gpu" / "1" / "engine" / "config.json").unlink()

    with pytest.raises(LoadError, match=r"^TensorRT-LLM could not load it; Triton's log says why"):
        open_bare()


def test_a_repeated_prompt_tells_what_was_found_in_the_cache(engine: Engine) -> None:
    finish(engine, params(), [41, 42, 43])

    run = finish(engine, params(), [41, 42, 43])

    told = 3 if "prefix_cache" in engine.capabilities else 0
    assert (run.deltas[-1].cached_tokens, engine.stats().cached_tokens) == (told, told)


def test_the_checkpoint_flow_is_opened_with_its_own_arguments(tmp_path: Path) -> None:
    folder = checkpoint_folder(tmp_path / "repository")
    with machine(tmp_path, version="1.3.0"):
        engine = open_engine(folder, read_manifest(folder))
        arguments = opened_llm().arguments
        engine.close(timeout_s=PATIENCE_S)

    assert arguments["telemetry_config"] == {"disabled": True}
    assert arguments["sampler_type"] == "TRTLLMSampler"
    assert arguments["max_seq_len"] == read_manifest(folder).context_length
