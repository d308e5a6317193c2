"""An engine without a model: readable text at a given speed, for tests of everything around it.

A running sequence gives its first token `first_token_ms` after it starts and one more each
`token_ms`; at most `max_batch` run, the others wait. Text and length follow from the seed alone.
"""

import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from ..manifest import EngineManifest, ModelSource, read_manifest, write_manifest
from ..tokenizer import open_tokenizer
from .options import read_options
from .protocol import Delta, EngineStats, Finish, SequenceParams, Sink
from .roster import Roster, RosterSequence

CAPABILITIES: Final = frozenset({"n", "seed", "min_tokens", "ignore_eos"})
TEXT: Final = (
    "This answer was made by a simulated engine, so its words mean nothing. "
    "It keeps the pace it was told to keep, one token after another. "
    "D\u00e9j\u00e0 vu \u65e5\u672c\u8a9e \U0001f41a \u041f\u0440\u0438\u0432\u0435\u0442 "
    "are here because characters of several bytes must survive the way. "
)
# What one block of a paged KV cache holds; only for the figures.
_TOKENS_PER_BLOCK: Final = 32
_MIN_LENGTH: Final = 64


@dataclass(frozen=True)
class SimulatedOptions:
    """engine.json's options."""

    first_token_ms: float = 0.0
    token_ms: float = 0.0
    max_batch: int = 64


def open_simulated_engine(folder: Path, manifest: EngineManifest) -> "SimulatedEngine":
    """A simulated engine that speaks in the folder's tokens."""
    options = read_options(SimulatedOptions, manifest.options)
    ids = open_tokenizer(folder).encode(TEXT, has_special_tokens=False)
    return SimulatedEngine(ids, options, manifest.context_length)


class SimulatedEngine:
    """Emits the ids of a fixed text on time."""

    capabilities = CAPABILITIES

    def __init__(
        self, text_ids: Sequence[int], options: SimulatedOptions, context_length: int
    ) -> None:
        self._text_ids = text_ids
        self._options = options
        self._blocks_total = options.max_batch * (-(-context_length // _TOKENS_PER_BLOCK))
        self._roster = Roster(options.max_batch)
        self._due: dict[RosterSequence, float] = {}
        self._thread = threading.Thread(target=self._run, name="simulated-engine", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """False once closed."""
        return not self._roster.is_closed

    def check(self, params: SequenceParams) -> None:
        """Nothing is left to judge."""

    def submit(self, ids: Sequence[int], params: SequenceParams, sink: Sink) -> RosterSequence:
        """Queue one sequence."""
        return self._roster.add(ids, params, sink)

    def stats(self) -> EngineStats:
        """The figures a paged KV cache would have."""
        running = self._roster.running
        blocks = (len(one.ids) + one.num_generated for one in running)
        return EngineStats(
            running=len(running),
            waiting=self._roster.num_waiting,
            max_running=self._roster.max_running,
            kv_blocks_used=sum(-(-tokens // _TOKENS_PER_BLOCK) for tokens in blocks),
            kv_blocks_total=self._blocks_total,
            prompt_tokens=self._roster.prompt_tokens,
            generated_tokens=self._roster.generated_tokens,
        )

    def close(self, timeout_s: float) -> None:
        """End all sequences as cancelled."""
        self._roster.close()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        timeout_s: float | None = None
        while self._roster.wait(timeout_s):
            now = time.monotonic()
            for sequence in self._roster.start_waiting():
                self._due[sequence] = now + self._options.first_token_ms / 1000
            for sequence in list(self._due):
                self._advance(sequence, now)
            timeout_s = self._time_to_next()
        self._roster.end_all()

    def _time_to_next(self) -> float | None:
        """Seconds until a token is due; None when nothing runs, 0 when a place is free."""
        if not self._due:
            return 0 if self._roster.num_waiting else None
        return max(0.0, min(self._due.values()) - time.monotonic())

    def _advance(self, sequence: RosterSequence, now: float) -> None:
        if sequence.is_cancelled:
            self._finish(sequence, Delta(finish="cancelled"))
        elif self._due[sequence] <= now:
            # From the due time, not from now: a late thread must not slow the pace down.
            self._due[sequence] += self._options.token_ms / 1000
            self._emit_token(sequence)

    def _emit_token(self, sequence: RosterSequence) -> None:
        params, position = sequence.params, sequence.num_generated
        token_id = self._text_ids[(params.seed + position) % len(self._text_ids)]
        if self._has_ended(params, position, token_id):
            self._finish(sequence, Delta(finish="stop"))
            return
        finish: Finish | None = "length" if position + 1 >= params.max_tokens else None
        if finish:
            self._finish(sequence, Delta((token_id,), finish=finish))
        else:
            self._roster.progress(sequence, Delta((token_id,)))

    def _has_ended(self, params: SequenceParams, position: int, token_id: int) -> bool:
        if params.sampling.ignore_eos or position < params.sampling.min_tokens:
            return False
        return position >= _MIN_LENGTH + params.seed % _MIN_LENGTH or (
            token_id in params.stop_token_ids
        )

    def _finish(self, sequence: RosterSequence, delta: Delta) -> None:
        del self._due[sequence]
        self._roster.finish(sequence, delta)


def write_model_folder(
    repository: Path,
    name: str,
    *,
    first_token_ms: float,
    token_ms: float,
    max_batch: int,
    tokenizer_from: Path,
) -> Path:
    """Make a served model `name` with this engine and another model's tokenizer; its folder."""
    model = read_manifest(tokenizer_from)
    folder = repository / name / "1"
    folder.mkdir(parents=True, exist_ok=True)
    for file in filter(None, ("tokenizer.json", model.chat_template)):
        shutil.copyfile(tokenizer_from / file, folder / file)
    options = SimulatedOptions(first_token_ms, token_ms, max_batch)
    write_manifest(
        folder,
        EngineManifest(
            engine="simulated",
            capabilities=tuple(sorted(CAPABILITIES)),
            context_length=model.context_length,
            eos_token_ids=model.eos_token_ids,
            chat_template=model.chat_template,
            tool_format=model.tool_format,
            reasoning_format=model.reasoning_format,
            quantization="none",
            created=model.created,
            source=ModelSource(repository="simulated", revision="1", files={}),
            options=asdict(options),
        ),
    )
    (repository / name / "config.pbtxt").write_text(_CONFIG, encoding="utf-8")
    return folder


_CONFIG: Final = """backend: "llm"
max_batch_size: 1
model_transaction_policy { decoupled: true }
instance_group [ { kind: KIND_CPU, count: 1 } ]
"""
