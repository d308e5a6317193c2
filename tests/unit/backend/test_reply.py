"""Replies as arrays."""

from triton_backend.llm.contract import OUTPUTS
from triton_backend.llm.reply import Reply, write_reply

FULL = Reply(
    text="h\u00e9",
    ids=[1, 2],
    tokens=[b"h", b"\xc3\xa9"],
    sequence_index=0,
    log_probs=[-0.5, -1.0],
    top_log_probs="[]",
    finish_reason="stop",
    stop_reason="",
    num_input_tokens=3,
    num_cached_tokens=0,
    num_output_tokens=2,
)


def test_every_output_has_its_type_and_a_batch_dimension() -> None:
    arrays = write_reply(FULL, OUTPUTS)

    assert set(arrays) == set(OUTPUTS)
    types = {name: array.dtype.name for name, array in arrays.items()}
    expected = {"BYTES": "object", "INT32": "int32", "FP32": "float32"}
    assert types == {name: expected[kind] for name, (kind, _) in OUTPUTS.items()}
    assert {array.ndim for array in arrays.values()} == {2}
    assert arrays["text_output"].tolist() == [["h\u00e9".encode()]]
    assert arrays["output_ids"].tolist() == [[1, 2]]
    assert arrays["output_tokens"].tolist() == [[b"h", b"\xc3\xa9"]]


def test_only_wanted_outputs_are_built() -> None:
    assert set(write_reply(FULL, {"text_output"})) == {"text_output"}


def test_what_a_reply_does_not_say_is_left_out() -> None:
    assert set(write_reply(Reply(num_input_tokens=3), OUTPUTS)) == {"num_input_tokens"}


def test_an_empty_list_of_ids_is_an_empty_row() -> None:
    assert write_reply(Reply(ids=[]), OUTPUTS)["output_ids"].shape == (1, 0)
