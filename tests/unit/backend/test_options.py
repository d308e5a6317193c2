"""engine.json's options."""

import pytest

from triton_backend.llm.engines.options import read_options
from triton_backend.llm.engines.simulated import SimulatedOptions
from triton_backend.llm.errors import LoadError
from triton_backend.llm.json_values import JsonValue


def test_given_options_replace_the_defaults() -> None:
    assert read_options(SimulatedOptions, {"token_ms": 1.5}) == SimulatedOptions(token_ms=1.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [("speed", 1), ("token_ms", "1"), ("token_ms", -1), ("token_ms", True), ("max_batch", 1.5)],
)
def test_a_wrong_option_refuses_the_model_by_name(name: str, value: JsonValue) -> None:
    with pytest.raises(LoadError, match=name):
        read_options(SimulatedOptions, {name: value})
