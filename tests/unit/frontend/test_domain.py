"""Deltas, capabilities and events, without anything around them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend_api.domain import sse
from frontend_api.domain.errors import UnsupportedParameter
from frontend_api.domain.generation import Delta, GenerationRequest, TextPrompt, merge
from frontend_api.domain.model import ServedModel, require_capabilities

PROMPT = TextPrompt("hi")
DELTAS = st.lists(
    st.builds(
        Delta,
        sequence_index=st.integers(0, 3),
        text=st.text(max_size=4),
        num_output_tokens=st.integers(0, 3),
    ),
    min_size=1,
)


def joined(deltas: list[Delta], index: int) -> str:
    return "".join(d.text for d in deltas if d.sequence_index == index)


@given(DELTAS)
def test_merged_deltas_say_the_same_with_one_piece_per_sequence(deltas: list[Delta]) -> None:
    merged = list(merge(deltas))

    assert len(merged) == len({d.sequence_index for d in deltas})
    for index in range(4):
        assert joined(merged, index) == joined(deltas, index)
    assert sum(d.num_output_tokens for d in merged) == sum(d.num_output_tokens for d in deltas)


def test_merging_keeps_the_reason_of_the_last_piece() -> None:
    merged = merge([Delta(0, "a", 1), Delta(0, "b", 1, "length")])

    assert merged == [Delta(0, "ab", 2, "length")]


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (GenerationRequest(model="m", prompt=PROMPT, n=2), "n"),
        (GenerationRequest(model="m", prompt=PROMPT, seed=0), "seed"),
        (GenerationRequest(model="m", prompt=PROMPT, top_k=5), "top_k"),
        (GenerationRequest(model="m", prompt=PROMPT, presence_penalty=0.5), "presence_penalty"),
        (GenerationRequest(model="m", prompt=PROMPT, ignore_eos=True), "ignore_eos"),
    ],
)
def test_what_the_engine_does_not_list_is_refused_by_name(
    request_: GenerationRequest, param: str
) -> None:
    model = ServedModel("m", capabilities=frozenset())

    with pytest.raises(UnsupportedParameter) as refused:
        require_capabilities(request_, model)

    assert refused.value.param == param
    assert refused.value.code == "unsupported_parameter"


def test_values_that_change_nothing_need_no_capability() -> None:
    request = GenerationRequest(
        model="m", prompt=PROMPT, n=1, top_k=0, presence_penalty=0.0, min_tokens=0
    )

    require_capabilities(request, ServedModel("m", capabilities=frozenset()))


def test_a_model_without_description_is_asked_everything() -> None:
    request = GenerationRequest(model="m", prompt=PROMPT, seed=1)

    require_capabilities(request, ServedModel("m", capabilities=None))


def test_an_event_is_one_data_line_and_a_blank_one() -> None:
    assert sse.event(b'{"a":1}') == b'data: {"a":1}\n\n'
