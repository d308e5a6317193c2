"""What only the OpenVINO engine promises, on the bundled model."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openvino_genai
import pytest

from tests.contract.engine_runs import PATIENCE_S, finish, params, start
from triton_backend.llm.engines import open_engine
from triton_backend.llm.engines.openvino import (
    OpenVinoEngine,
    OpenVinoOptions,
    generation_config,
    open_pipeline,
)
from triton_backend.llm.engines.openvino_grammar import GrammarChecker
from triton_backend.llm.engines.protocol import Engine
from triton_backend.llm.errors import EngineFailed, InvalidRequest, LoadError, Overloaded
from triton_backend.llm.manifest import read_manifest
from triton_backend.llm.request import Guide, GuideKind, Sampling
from triton_backend.llm.tokenizer import open_tokenizer

DEMO = Path(__file__).parents[2] / "model_repository" / "demo" / "1"
END_IDS = read_manifest(DEMO).eos_token_ids
TOKENIZER = open_tokenizer(DEMO)
SCHEMA = (
    '{"type":"object","properties":{"sex":{"enum":["f","m"]},"old":{"type":"boolean"}},'
    '"required":["sex","old"],"additionalProperties":false}'
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    one = open_engine(DEMO, read_manifest(DEMO))
    yield one
    one.close(timeout_s=PATIENCE_S)


def guided(kind: GuideKind, text: str = "", seed: int = 1) -> Any:
    sampling = Sampling(temperature=1, guide=Guide(kind, text))
    return params(sampling, max_tokens=200, seed=seed, stop_token_ids=END_IDS)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("kind", "text", "pattern"),
    [
        ("regex", "[ab]{3}-[0-9]{2}", r"[ab]{3}-[0-9]{2}"),
        ("ebnf_grammar", 'root ::= "yes" | "no"', "yes|no"),
        (
            "json_schema",
            SCHEMA,
            r'\s*\{\s*"sex"\s*:\s*"[fm]"\s*,\s*"old"\s*:\s*(true|false)\s*\}\s*',
        ),
        ("json", "", r"\s*\{(.|\s)*"),
    ],
)
def test_guided_output_conforms(
    engine: Engine, kind: GuideKind, text: str, pattern: str, seed: int
) -> None:
    asked = guided(kind, text, seed)
    engine.check(asked)

    run = finish(engine, asked)

    answer = TOKENIZER.decode(run.ids, has_special_tokens=True)
    assert re.fullmatch(pattern, answer) or run.finish == "length"


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        ("regex", "[ab", "Unclosed"),
        ("regex", "(?<=a)b", "Lookbehind is not supported"),
        ("ebnf_grammar", "root = ", "root"),
        ("json_schema", '{"type":', "not valid JSON"),
        ("json_schema", '{"type":"poem"}', "no JSON type"),
        ("json_schema", "[1]", "allows anything"),
        ("json_schema", '{"$ref":"#/nowhere"}', "points to nothing"),
    ],
)
def test_a_guide_that_does_not_compile_is_refused_with_the_reason(
    engine: Engine, kind: GuideKind, text: str, reason: str
) -> None:
    for _ in range(2):  # the second time from memory
        with pytest.raises(InvalidRequest, match=reason) as caught:
            engine.check(guided(kind, text))

    assert caught.value.param == "guided_decoding_guide"
    assert "/" not in caught.value.message.replace("#/nowhere", "").replace("\\/", "")


def test_a_guide_that_is_too_long_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidRequest) as caught:
        engine.check(guided("regex", "a" * 100_000))

    assert caught.value.code == "string_above_max_length"


def test_a_guide_that_takes_too_long_to_compile_is_refused() -> None:
    checker = GrammarChecker(DEMO, compile_limit_s=0.02)
    fields = ",".join(
        f'"k{i}":{{"type":"string","pattern":"[a-z]{{1,{20 + i}}}[0-9]+(abc|de[fg]*)?"}}'
        for i in range(25)
    )

    with pytest.raises(InvalidRequest, match="too long"):
        checker.check(Guide("json_schema", f'{{"type":"object","properties":{{{fields}}}}}'))
    with pytest.raises(Overloaded, match="busy"):
        checker.check(Guide("regex", "[xy]"))


def test_log_probs_are_those_of_the_chosen_tokens(engine: Engine) -> None:
    sampling = Sampling(temperature=0, ignore_eos=True, log_probs=True)

    run = finish(engine, params(sampling))

    values = [value for delta in run.deltas for value in delta.log_probs]
    assert len(values) == len(run.ids)
    assert all(value < 0 for value in values)


def test_every_sampling_parameter_is_taken(engine: Engine) -> None:
    sampling = Sampling(
        temperature=0.7,
        top_p=0.9,
        top_k=20,
        min_p=0.05,
        repetition_penalty=1.2,
        presence_penalty=-2,
        frequency_penalty=2,
        ignore_eos=True,
    )

    config = generation_config(params(sampling))
    run = finish(engine, params(sampling))

    assert config.do_sample
    assert (round(config.temperature, 3), round(config.top_p, 3)) == (0.7, 0.9)
    assert (config.top_k, round(config.min_p, 3)) == (20, 0.05)
    assert round(config.repetition_penalty, 3) == 1.2
    assert (config.presence_penalty, config.frequency_penalty) == (-2, 2)
    assert run.finish == "length"


def test_a_prompt_that_was_seen_gives_the_same_tokens(engine: Engine) -> None:
    prompt = list(range(10, 210))
    sampling = Sampling(temperature=1, ignore_eos=True)

    runs = [finish(engine, params(sampling, max_tokens=40), prompt) for _ in range(2)]

    assert runs[0].ids == runs[1].ids


def test_a_failed_step_ends_what_runs_and_the_engine_goes_on() -> None:
    options = OpenVinoOptions()
    # A checker that lets everything pass: the pipeline meets the bad guide in its step.
    engine = OpenVinoEngine(lambda: open_pipeline(DEMO, options), options, lambda guide: None)
    running = start(engine, params(max_tokens=1_000))
    running.wait_for_tokens(3)

    bad = finish(engine, guided("regex", "[ab"))
    running.wait_for_end()
    after = finish(engine, params(max_tokens=5))
    engine.close(timeout_s=PATIENCE_S)

    assert isinstance(bad.deltas[-1].error, EngineFailed)
    assert isinstance(running.deltas[-1].error, EngineFailed)
    assert after.finish == "length"
    assert engine.stats().running == 0


class BrokenPipeline:
    """A pipeline whose steps fail for ever once it is warm."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.is_broken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def step(self) -> None:
        if self.is_broken:
            raise RuntimeError("no memory")
        self._real.step()


def test_a_pipeline_that_does_not_recover_is_opened_again() -> None:
    options = OpenVinoOptions()
    opened: list[BrokenPipeline] = []

    def open_next() -> BrokenPipeline:
        opened.append(BrokenPipeline(open_pipeline(DEMO, options)))
        return opened[-1]

    engine = OpenVinoEngine(open_next, options, lambda guide: None)
    opened[0].is_broken = True

    failed = finish(engine, params())
    after = finish(engine, params(max_tokens=5))
    engine.close(timeout_s=PATIENCE_S)

    assert isinstance(failed.deltas[-1].error, EngineFailed)
    assert after.finish == "length"
    assert len(opened) == 2


def test_an_engine_that_cannot_be_opened_again_is_dead() -> None:
    options = OpenVinoOptions()
    first = BrokenPipeline(open_pipeline(DEMO, options))
    pipelines = iter([first])
    engine = OpenVinoEngine(lambda: next(pipelines), options, lambda guide: None)
    first.is_broken = True

    failed = finish(engine, params())
    engine.close(timeout_s=PATIENCE_S)

    assert isinstance(failed.deltas[-1].error, EngineFailed)
    assert not engine.is_alive


def test_a_request_that_does_not_fit_the_kv_cache_is_refused_as_overload() -> None:
    options = OpenVinoOptions()

    def open_small() -> Any:
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.num_kv_blocks = 8
        scheduler.cache_size = 0
        scheduler.enable_prefix_caching = True
        return openvino_genai.ContinuousBatchingPipeline(DEMO, scheduler, "CPU")

    engine = OpenVinoEngine(open_small, options, lambda guide: None)

    run = finish(engine, params(), list(range(400)))
    after = finish(engine, params(max_tokens=5))
    engine.close(timeout_s=PATIENCE_S)

    assert isinstance(run.deltas[-1].error, Overloaded)
    assert after.finish == "length"
    assert engine.stats().kv_blocks_total == 8


def test_a_missing_model_file_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "1"
    folder.mkdir(parents=True)

    with pytest.raises(LoadError, match=r"^mine: openvino_model\.xml is missing\.$"):
        open_engine(folder, read_manifest(DEMO))


def test_an_altered_model_file_is_one_sentence_with_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "1"
    folder.mkdir(parents=True)
    (folder / "openvino_model.xml").write_text("<altered>", encoding="utf-8")
    manifest = replace(read_manifest(DEMO), files={"openvino_model.xml": "0" * 64})

    with pytest.raises(LoadError, match=r"not the file that was built\. Run `scripts/add_model"):
        open_engine(folder, manifest)


def test_a_broken_model_file_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "1"
    folder.mkdir(parents=True)
    (folder / "openvino_model.xml").write_text("<not a model>", encoding="utf-8")

    with pytest.raises(LoadError, match=r"^mine: OpenVINO cannot load it") as caught:
        open_engine(folder, read_manifest(DEMO))

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "reason"), [("tensorrt_llm", "for which GPU"), ("abacus", "abacus")]
)
def test_an_engine_that_is_not_there_is_one_sentence(name: str, reason: str) -> None:
    with pytest.raises(LoadError, match=reason):
        open_engine(DEMO, replace(read_manifest(DEMO), engine=name))


def test_a_manifest_may_not_claim_what_the_engine_lacks() -> None:
    with pytest.raises(LoadError, match="logit_bias"):
        open_engine(DEMO, replace(read_manifest(DEMO), capabilities=("seed", "logit_bias")))
