"""What a schema guides is valid for the schema, unless its tokens ran out."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from tests.contract.engine_runs import PATIENCE_S, Run, params, start
from tests.contract.schemas_made import made_schema
from triton_backend.llm.engines import open_engine
from triton_backend.llm.engines.protocol import Engine, SequenceParams
from triton_backend.llm.json_grammar import schema_grammar
from triton_backend.llm.manifest import read_manifest
from triton_backend.llm.request import Guide, Sampling
from triton_backend.llm.tokenizer import open_tokenizer

DEMO = Path(__file__).parents[2] / "model_repository" / "demo" / "1"
END_IDS = read_manifest(DEMO).eos_token_ids
TOKENIZER = open_tokenizer(DEMO)
NUM_SCHEMAS = 200
AT_ONCE = 20


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    one = open_engine(DEMO, read_manifest(DEMO))
    yield one
    one.close(timeout_s=PATIENCE_S)


def checked(engine: Engine, number: int) -> SequenceParams:
    guide = Guide("json_schema", json.dumps(made_schema(number)))
    sampling = Sampling(temperature=1, guide=guide)
    one = params(sampling, max_tokens=300, seed=number, stop_token_ids=tuple(END_IDS))
    engine.check(one)
    return one


def sampled(engine: Engine, one: SequenceParams, number: int) -> Run:
    prompt = f"<|im_start|>user\nGive me JSON {number}<|im_end|>\n<|im_start|>assistant\n"
    return start(engine, one, TOKENIZER.encode(prompt, has_special_tokens=False))


@pytest.mark.parametrize("first", range(0, NUM_SCHEMAS, AT_ONCE))
def test_sampled_answers_are_valid_for_their_schemas(engine: Engine, first: int) -> None:
    numbers = range(first, first + AT_ONCE)

    checked_params = [checked(engine, number) for number in numbers]
    pairs = zip(checked_params, numbers, strict=True)
    runs = [sampled(engine, one, number) for one, number in pairs]

    ended = [(n, run) for n, run in zip(numbers, runs, strict=True) if is_whole(run)]
    for number, run in ended:
        text = TOKENIZER.decode(run.ids, has_special_tokens=False)
        jsonschema.validate(json.loads(text), made_schema(number))
    # Cut by length is allowed, but is no proof. Only our own grammars bound white space: the
    # engine's conversion (of `pattern`, `format` and bounds) lets it go on without end.
    ours = {number for number in numbers if schema_grammar(made_schema(number)) is not None}
    ended_of_ours = ours & {number for number, _ in ended}
    assert len(ended_of_ours) >= len(ours) * 0.9
    assert len(ended) >= AT_ONCE * 0.7


def is_whole(run: Run) -> bool:
    run.wait_for_end()
    assert run.finish in ("stop", "length")
    return run.finish == "stop"
