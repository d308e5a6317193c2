"""The simulated engine's pace and places, and the folder that serves it."""

import threading
import time
from pathlib import Path

import pytest

from tests.unit.backend.fakes import PATIENCE_S
from tests.unit.backend.test_manifest import MANIFEST
from tests.unit.backend.tokenizers_made import byte_level_json
from triton_backend.llm.engines import open_engine
from triton_backend.llm.engines.protocol import Delta, SequenceParams, Sink
from triton_backend.llm.engines.simulated import (
    TEXT,
    SimulatedEngine,
    SimulatedOptions,
    write_model_folder,
)
from triton_backend.llm.manifest import read_manifest, write_manifest
from triton_backend.llm.request import Sampling
from triton_backend.llm.tokenizer import Tokenizer, open_tokenizer

TEXT_IDS = list(range(10, 60))


class Ends:
    """Collects deltas by name and counts the sequences that ended."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Delta]] = []
        self._ended = threading.Semaphore(0)

    def sink(self, name: str) -> Sink:
        def put(delta: Delta) -> None:
            self.seen.append((name, delta))
            if delta.is_last:
                self._ended.release()

        return put

    def wait(self, count: int = 1) -> None:
        for _ in range(count):
            assert self._ended.acquire(timeout=PATIENCE_S)


def params(max_tokens: int = 10, seed: int = 0, *, ignore_eos: bool = True) -> SequenceParams:
    return SequenceParams(Sampling(ignore_eos=ignore_eos), max_tokens, seed, ())


def test_tokens_never_come_before_they_are_due() -> None:
    engine = SimulatedEngine(TEXT_IDS, SimulatedOptions(30, 5, 4), context_length=128)
    ends = Ends()
    began = time.monotonic()

    engine.submit([1], params(max_tokens=9), ends.sink("one"))
    ends.wait()
    took_s = time.monotonic() - began
    engine.close(PATIENCE_S)

    assert took_s >= 0.030 + 8 * 0.005


def test_a_full_batch_makes_the_next_sequence_wait() -> None:
    engine = SimulatedEngine(TEXT_IDS, SimulatedOptions(0, 0, 1), context_length=128)
    ends = Ends()

    engine.submit([1], params(), ends.sink("first"))
    engine.submit([1], params(), ends.sink("second"))
    ends.wait(2)
    engine.close(PATIENCE_S)

    assert [name for name, _ in ends.seen] == ["first"] * 10 + ["second"] * 10


def test_the_seed_says_where_the_text_begins_and_how_long_it_is() -> None:
    engine = SimulatedEngine(TEXT_IDS, SimulatedOptions(), context_length=128)
    ends = Ends()

    engine.submit([1], params(max_tokens=1000, seed=3, ignore_eos=False), ends.sink("one"))
    ends.wait()
    engine.close(PATIENCE_S)

    ids = [token_id for _, delta in ends.seen for token_id in delta.ids]
    assert ids[:4] == TEXT_IDS[3:7]
    assert len(ids) == 67
    assert ends.seen[-1][1].finish == "stop"


@pytest.fixture
def tokenizer_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine" / "1"
    folder.mkdir(parents=True)
    write_manifest(folder, MANIFEST)
    (folder / "tokenizer.json").write_text(byte_level_json(), encoding="utf-8")
    (folder / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    return folder


def test_a_written_model_folder_can_be_served(tokenizer_folder: Path, tmp_path: Path) -> None:
    folder = write_model_folder(
        tmp_path / "repository",
        "fast",
        first_token_ms=0.5,
        token_ms=0,
        max_batch=3,
        tokenizer_from=tokenizer_folder,
    )

    manifest = read_manifest(folder)
    engine = open_engine(folder, manifest)
    max_running = engine.stats().max_running
    engine.close(PATIENCE_S)

    assert manifest.engine == "simulated"
    assert manifest.context_length == MANIFEST.context_length
    assert max_running == 3
    assert (folder.parent / "config.pbtxt").read_text().startswith('backend: "llm"')
    assert (folder / manifest.chat_template).is_file() if manifest.chat_template else False


def test_the_text_survives_a_round_trip(tokenizer_folder: Path) -> None:
    tokenizer: Tokenizer = open_tokenizer(tokenizer_folder)

    ids = tokenizer.encode(TEXT, has_special_tokens=False)

    assert tokenizer.decode(ids, has_special_tokens=False) == TEXT
