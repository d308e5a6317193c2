"""One sequence's deltas become replies."""

import json
import math
from dataclasses import replace

from tests.unit.backend.tokenizers_made import byte_level_json
from triton_backend.llm.engines.protocol import Delta
from triton_backend.llm.postprocessing import OutputOptions, OutputSequence
from triton_backend.llm.tokenizer import Tokenizer

TOKENIZER = Tokenizer(byte_level_json())


def ids_of(text: str) -> tuple[int, ...]:
    return tuple(TOKENIZER.encode(text, has_special_tokens=False))


def sequence(
    *stop_words: str, is_stream: bool = True, has_text: bool = True, prefix: str = ""
) -> OutputSequence:
    options = OutputOptions(is_stream, has_text, stop_words, prefix, num_input_tokens=3)
    return OutputSequence(0, TOKENIZER.detokenizer(), options)


def test_each_delta_is_a_reply_with_its_own_counts() -> None:
    output = sequence()

    output.take(Delta(ids_of("ab"), (-0.5, -1.0)))
    first = output.reply()
    output.take(Delta(ids_of("c"), (-2.0,), "length"))
    last = output.reply()

    assert first is not None
    assert last is not None
    assert (first.text, first.num_output_tokens, first.finish_reason) == ("ab", 2, None)
    assert (first.log_probs, first.num_input_tokens) == ([-0.5, -1.0], 3)
    assert (last.text, last.num_output_tokens, last.finish_reason) == ("c", 1, "length")
    assert last.stop_reason == ""


def test_ids_of_a_split_character_wait_for_the_rest_of_it() -> None:
    output, ids = sequence(), ids_of("\U0001f41a")

    output.take(Delta(ids[:2]))
    assert output.reply() is None
    output.take(Delta(ids[2:]))
    reply = output.reply()

    assert reply is not None
    assert (reply.text, reply.ids) == ("\U0001f41a", list(ids))


def test_without_streaming_there_is_one_reply_at_the_end() -> None:
    output = sequence(is_stream=False)

    output.take(Delta(ids_of("ab")))
    assert output.reply() is None
    output.take(Delta(ids_of("c"), finish="stop"))
    reply = output.reply()

    assert reply is not None
    assert (reply.text, reply.num_output_tokens) == ("abc", 3)


def test_a_stop_string_across_deltas_ends_the_sequence_with_its_last_token() -> None:
    output = sequence("ght!")

    output.take(Delta(ids_of("bri")))
    output.take(Delta(ids_of("ght!") + ids_of(" more")))
    reply = output.reply()

    assert output.is_finished
    assert reply is not None
    assert reply.text == "bri"
    assert (reply.finish_reason, reply.stop_reason) == ("stop", "ght!")
    assert reply.ids == [*ids_of("bri"), *ids_of("ght!")]


def test_a_held_part_of_a_stop_string_leaves_at_the_end() -> None:
    output = sequence("<END>")

    output.take(Delta(ids_of("a<EN"), finish="length"))
    reply = output.reply()

    assert reply is not None
    assert (reply.text, reply.finish_reason) == ("a<EN", "length")


def test_a_stop_string_found_in_the_last_delta_wins_over_its_finish() -> None:
    output = sequence("b")

    output.take(Delta(ids_of("ab"), finish="length"))
    reply = output.reply()

    assert reply is not None
    assert (reply.text, reply.finish_reason) == ("a", "stop")


def test_without_text_every_delta_of_ids_is_a_reply() -> None:
    output = sequence(has_text=False)

    output.take(Delta(ids_of("\U0001f41a")[:1]))
    reply = output.reply()

    assert reply is not None
    assert reply.ids == list(ids_of("\U0001f41a")[:1])


def test_an_echoed_prompt_comes_first() -> None:
    output = sequence(prefix="Say: ")

    output.take(Delta(ids_of("a"), finish="stop"))
    reply = output.reply()

    assert reply is not None
    assert (reply.text, reply.num_output_tokens) == ("Say: a", 1)


def test_a_sequence_that_ends_at_once_still_replies() -> None:
    output = sequence()

    output.take(Delta(finish="cancelled"))
    reply = output.reply()

    assert reply is not None
    assert (reply.text, reply.ids, reply.finish_reason) == ("", [], "cancelled")


def test_tokens_are_told_one_by_one_where_somebody_wants_them() -> None:
    options = OutputOptions(True, True, (), "", 3, token_bytes=TOKENIZER.token_bytes)
    output = OutputSequence(0, TOKENIZER.detokenizer(), options)

    output.take(Delta(ids_of("\u00e9x"), finish="stop"))
    told = output.reply()

    assert told is not None
    assert told.tokens == [b"\xc3", b"\xa9", b"x"]
    assert told.text == "\u00e9x"


def test_cached_tokens_are_told_with_the_last_reply() -> None:
    output = sequence()

    output.take(Delta(ids_of("a"), cached_tokens=2))
    first = output.reply()
    output.take(Delta(ids_of("b"), finish="stop"))
    last = output.reply()

    assert first is not None
    assert last is not None
    assert (first.tokens, first.num_cached_tokens, last.num_cached_tokens) == (None, None, 2)


TOPS = OutputOptions(True, True, (), "", num_input_tokens=3, top_bytes=TOKENIZER.token_bytes)


def test_likeliest_tokens_come_with_the_text_of_their_token() -> None:
    output, ids = OutputSequence(0, TOKENIZER.detokenizer(), TOPS), ids_of("é")
    (other,) = ids_of("b")

    output.take(Delta(ids[:1], top_log_probs=(((ids[0], 0.1), (other, -math.inf)),)))
    assert output.reply() is None
    output.take(Delta(ids[1:], top_log_probs=(((ids[1], -0.5),),)))
    reply = output.reply()

    assert reply is not None
    assert json.loads(reply.top_log_probs or "") == [
        [
            {"token": "\ufffd", "logprob": 0.0, "bytes": [0xC3]},
            {"token": "b", "logprob": -9999.0, "bytes": [98]},
        ],
        [{"token": "\ufffd", "logprob": -0.5, "bytes": [0xA9]}],
    ]


def test_likeliest_tokens_end_with_the_stop_string() -> None:
    output = OutputSequence(0, TOKENIZER.detokenizer(), replace(TOPS, stop_words=("b",)))

    output.take(Delta(ids := ids_of("abc"), top_log_probs=tuple(((one, -1.0),) for one in ids)))
    reply = output.reply()

    assert reply is not None
    assert [one["token"] for (one,) in json.loads(reply.top_log_probs or "")] == ["a", "b"]


def test_likeliest_tokens_nobody_wants_are_left_out() -> None:
    output = sequence()

    output.take(Delta(ids_of("a"), top_log_probs=(((1, -1.0),),)))

    assert (reply := output.reply()) is not None
    assert reply.top_log_probs is None
