"""A served model without Triton: what clients are told, and when the engine is freed."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.unit.backend.asking import Value, tensors
from tests.unit.backend.fakes import PATIENCE_S, FakeEngine, FakeStream
from tests.unit.backend.test_chat_template import CHATML
from tests.unit.backend.test_manifest import MANIFEST
from tests.unit.backend.tokenizers_made import byte_level_json
from triton_backend.llm.backlog import Backlog
from triton_backend.llm.chat_template import ChatTemplate
from triton_backend.llm.contract import OUTPUTS
from triton_backend.llm.engines.protocol import Delta, EngineStats
from triton_backend.llm.errors import EngineFailed, InvalidRequest, Overloaded
from triton_backend.llm.preprocessing import Preprocessor
from triton_backend.llm.service import ServedModel, Service
from triton_backend.llm.tokenizer import Tokenizer

TOKENIZER = Tokenizer(byte_level_json())


class Served:
    """A service over a fake engine."""

    def __init__(self, max_waiting: int = 4) -> None:
        manifest = replace(MANIFEST, capabilities=tuple(FakeEngine.capabilities))
        self.engine = FakeEngine(max_running=2)
        self.stats: list[EngineStats] = []
        preprocessor = Preprocessor(manifest, TOKENIZER, ChatTemplate(CHATML))
        self.backlog = Backlog()
        model = ServedModel(manifest, TOKENIZER, preprocessor, self.engine, self.backlog)
        self.service = Service(model, max_waiting, self.stats.append)

    def ask(self, **values: Value) -> FakeStream:
        stream = FakeStream()
        prompt: dict[str, Value] = {} if "messages" in values else {"text_input": "Hi"}
        self.service.accept(tensors(**(prompt | values)), frozenset(OUTPUTS), stream)
        return stream


@pytest.fixture
def served() -> Iterator[Served]:
    one = Served()
    yield one
    one.service.close(timeout_s=5)


def ids_of(text: str) -> tuple[int, ...]:
    return tuple(TOKENIZER.encode(text, has_special_tokens=False))


def test_deltas_of_the_engine_reach_the_client_in_order(served: Served) -> None:
    stream = served.ask(stream=True)
    sequence = served.engine.next_submitted()

    for char in "hello":
        sequence.sink(Delta(ids_of(char)))
    sequence.sink(Delta(ids_of("!"), finish="length"))
    stream.wait_for_end()

    assert stream.text == "hello!"
    assert sum(reply.num_output_tokens or 0 for reply in stream.replies) == 6
    assert [reply.finish_reason for reply in stream.replies][-1] == "length"
    assert stream.num_finals == 1


def test_the_first_token_is_sent_before_the_second_exists(served: Served) -> None:
    stream = served.ask(stream=True)
    sequence = served.engine.next_submitted()

    sequence.sink(Delta(ids_of("a")))
    stream.wait_for_replies(1)

    assert stream.text == "a"


def test_an_acknowledgement_comes_before_any_token(served: Served) -> None:
    stream = served.ask(stream=True, acknowledge=True)
    stream.wait_for_replies(1)

    assert stream.replies[0].num_input_tokens == len(ids_of("Hi"))
    assert stream.replies[0].text is None
    assert stream.num_finals == 0


def test_a_request_that_is_refused_is_never_acknowledged(served: Served) -> None:
    stream = served.ask(stream=True, acknowledge=True, max_tokens=10_000)
    stream.wait_for_end()

    assert stream.replies == []
    assert isinstance(stream.error, InvalidRequest)
    assert stream.error.code == "context_length_exceeded"


def test_without_streaming_each_sequence_is_one_response(served: Served) -> None:
    stream = served.ask(num_return_sequences=2)
    served.engine.next_submitted()
    served.engine.next_submitted()
    first, second = served.engine.submitted

    second.sink(Delta(ids_of("b")))
    second.sink(Delta(finish="stop"))
    first.sink(Delta(ids_of("a"), finish="length"))
    stream.wait_for_end()

    answers = [(reply.sequence_index, reply.text, reply.finish_reason) for reply in stream.replies]
    assert answers == [(1, "b", "stop"), (0, "a", "length")]
    assert stream.num_finals == 1


def test_a_stop_string_frees_the_engine(served: Served) -> None:
    stream = served.ask(stream=True, stop_words="END")
    sequence = served.engine.next_submitted()

    sequence.sink(Delta(ids_of("a EN")))
    sequence.sink(Delta(ids_of("D b")))
    stream.wait_for_end()

    assert stream.text == "a "
    assert sequence.is_cancelled
    assert (stream.replies[-1].finish_reason, stream.replies[-1].stop_reason) == ("stop", "END")


def test_a_client_that_leaves_frees_the_engine(served: Served) -> None:
    stream = served.ask(stream=True)
    sequence = served.engine.next_submitted()

    stream.has_left = True
    stream.wait_for_end()

    assert sequence.is_cancelled
    assert stream.replies[-1].finish_reason == "cancelled"


def test_an_engine_failure_is_told_without_details(served: Served) -> None:
    stream = served.ask(num_return_sequences=2)
    served.engine.next_submitted()
    served.engine.next_submitted()
    first, second = served.engine.submitted

    first.sink(Delta(error=EngineFailed()))
    stream.wait_for_end()

    assert stream.error is not None
    assert json.loads(stream.error.to_json())["code"] == "engine_failure"
    assert stream.error.status == "INTERNAL"
    assert second.is_cancelled
    assert stream.num_finals == 1


def test_a_request_refused_half_way_cancels_its_other_half(served: Served) -> None:
    served.engine.refusal = Overloaded("full")

    stream = served.ask()
    stream.wait_for_end()

    assert stream.error is served.engine.refusal


def test_a_guide_the_engine_refuses_is_the_clients_fault(served: Served) -> None:
    served.engine.refusal = InvalidRequest("no", param="guided_decoding_guide")

    stream = served.ask(guided_decoding_guide_type="json_schema", guided_decoding_guide="{}")
    stream.wait_for_end()

    assert stream.error is served.engine.refusal
    assert served.engine.submitted == []


def test_more_than_fits_and_may_wait_is_refused() -> None:
    served = Served(max_waiting=1)
    for _ in range(3):
        served.ask()
        served.engine.next_submitted()

    refused = served.ask()
    refused.wait_for_end()

    assert isinstance(refused.error, Overloaded)
    assert refused.error.status == "UNAVAILABLE"
    served.service.close(timeout_s=5)


def test_one_bad_request_leaves_the_others_alone(served: Served) -> None:
    good = served.ask(stream=True)
    sequence = served.engine.next_submitted()
    bad = served.ask(messages="[" * 5000)
    bad.wait_for_end()

    sequence.sink(Delta(ids_of("fine"), finish="stop"))
    good.wait_for_end()

    assert isinstance(bad.error, InvalidRequest)
    assert good.text == "fine"


def test_a_sender_that_breaks_frees_the_engine_and_spares_the_others(served: Served) -> None:
    broken = served.ask(stream=True)
    sequence = served.engine.next_submitted()
    broken.is_broken = True
    sequence.sink(Delta(ids_of("a")))
    good = served.ask(task="tokenize")
    good.wait_for_end()

    assert sequence.is_cancelled
    assert broken.is_released.wait(PATIENCE_S)
    assert good.error is None


@pytest.mark.parametrize("asked", [{"task": "tokenize"}, {"max_tokens": 0}, {"stream": True}])
def test_the_sender_is_let_go_with_the_last_response(
    served: Served, asked: dict[str, Value]
) -> None:
    stream = served.ask(**asked)
    if "stream" in asked:
        served.engine.next_submitted().sink(Delta(finish="stop"))
    stream.wait_for_end()

    assert stream.is_released.wait(PATIENCE_S)


def test_tokenize_and_detokenize_are_opposites(served: Served) -> None:
    tokenized = served.ask(task="tokenize")
    tokenized.wait_for_end()
    ids = tokenized.replies[0].ids
    assert ids is not None

    detokenized = FakeStream()
    request = tensors(task="detokenize", input_ids=list(ids))
    served.service.accept(request, frozenset(OUTPUTS), detokenized)
    detokenized.wait_for_end()

    assert tokenized.replies[0].num_input_tokens == len(ids)
    assert tokenized.replies[0].text == "Hi"
    assert detokenized.text == "Hi"


def test_describe_answers_the_manifest_while_the_engine_lives(served: Served) -> None:
    alive = FakeStream()
    served.service.accept(tensors(task="describe"), frozenset(OUTPUTS), alive)
    alive.wait_for_end()
    served.engine.is_alive = False
    dead = FakeStream()
    served.service.accept(tensors(task="describe"), frozenset(OUTPUTS), dead)
    dead.wait_for_end()

    assert json.loads(alive.text)["context_length"] == MANIFEST.context_length
    assert json.loads(alive.text)["opens_thinking"] == []
    assert json.loads(alive.text)["lora_names"] == []
    assert json.loads(alive.text)["max_sequences"] == served.engine.stats().max_running
    assert isinstance(dead.error, EngineFailed)


def test_closing_ends_what_runs_and_tells_the_figures_once_more(served: Served) -> None:
    stream = served.ask(stream=True)
    sequence = served.engine.next_submitted()

    served.service.close(timeout_s=5)
    stream.wait_for_end()

    assert sequence.is_cancelled
    assert stream.replies[-1].finish_reason == "cancelled"
    assert served.stats[-1].running == 0


def test_describe_does_not_wait_behind_requests_being_admitted() -> None:
    served = Served()
    gate = threading.Event()
    served.engine.check_gate = gate
    for _ in range(8):  # more than there are admission threads
        served.ask()

    probe = FakeStream()
    served.service.accept(tensors(task="describe"), frozenset(OUTPUTS), probe)
    probe.wait_for_end()
    is_still_blocked = not served.engine.submitted
    gate.set()
    served.service.close(timeout_s=5)

    assert is_still_blocked
    assert probe.error is None


def test_admissions_and_announcements_are_backlog_until_they_are_done(served: Served) -> None:
    gate = threading.Event()
    served.engine.check_gate = gate
    stream = served.ask(stream=True)

    in_admission = served.backlog.count
    gate.set()
    sequence = served.engine.next_submitted()
    sequence.sink(Delta(ids_of("a"), finish="length"))
    stream.wait_for_end()
    served.service.close(timeout_s=5)

    assert in_admission == 1
    assert served.backlog.count == 0
