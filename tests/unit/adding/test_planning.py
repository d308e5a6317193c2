"""The plan that --dry-run prints."""

from pathlib import Path

import pytest

from scripts.adding.arguments import name_from
from scripts.adding.inspection import Facts
from scripts.adding.planning import Plan, described, make_plan
from scripts.adding.sources import Source

CHECKPOINT = Source("checkpoint", Path("model"), "owner/model", "abc123")


def facts_of(billions: float) -> Facts:
    return Facts(
        architecture="Qwen2ForCausalLM",
        context_length=32768,
        eos_token_ids=(1, 2),
        chat_template="t",
        num_parameters=int(billions * 1e9),
        num_bytes=int(billions * 2e9),
        kv_values=24 * 2 * 2 * 64,
    )


def plan_of(billions: float, quantization: str = "int8") -> Plan:
    return make_plan(CHECKPOINT, facts_of(billions), "m", quantization, context=4096, compares=True)


@pytest.mark.parametrize(("quantization", "gigabytes"), [("fp16", 2), ("int8", 1), ("int4", 0.56)])
def test_the_size_of_the_engine_follows_its_weights(quantization: str, gigabytes: float) -> None:
    assert plan_of(1, quantization).model_bytes == pytest.approx(gigabytes * 1e9)


def test_a_source_that_is_larger_than_the_memory_is_not_run_for_comparison() -> None:
    assert plan_of(0.01).compares
    assert not plan_of(1000).compares


def test_the_plan_names_everything_that_will_be_written() -> None:
    facts = facts_of(0.5)
    lines = described(plan_of(0.5), CHECKPOINT, facts)

    for part in ("owner/model at abc123", "0.50 B parameters", "int8", "4096 tokens", "1, 2"):
        assert part in lines


def test_a_model_is_named_after_its_source() -> None:
    assert name_from("Qwen/Qwen2.5-0.5B-Instruct") == "qwen2.5-0.5b-instruct"
    assert name_from("./My Model.Q4_0.GGUF") == "my-model.q4_0"
    assert name_from("...") == "model"
