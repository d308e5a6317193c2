"""config.pbtxt's parameters."""

import pytest

from triton_backend.llm.errors import LoadError
from triton_backend.llm.parameters import ModelParameters, read_parameters


def test_no_parameters_mean_the_defaults() -> None:
    assert read_parameters({}) == ModelParameters()


def test_a_parameter_is_read_and_tritons_own_are_left_alone() -> None:
    given = {"max_waiting": "7", "FORCE_CPU_ONLY_INPUT_TENSORS": "no"}

    assert read_parameters(given) == ModelParameters(max_waiting=7)


@pytest.mark.parametrize("given", [{"max_wait": "7"}, {"max_waiting": "-1"}, {"max_waiting": "x"}])
def test_a_wrong_parameter_refuses_the_model(given: dict[str, str]) -> None:
    with pytest.raises(LoadError, match=r"^config\.pbtxt: "):
        read_parameters(given)
