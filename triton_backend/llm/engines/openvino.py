"""OpenVINO: `openvino_genai.ContinuousBatchingPipeline`, the CPU engine.

One thread owns the pipeline: it adds, steps, reads and cancels; others only reach the roster.
What was found in version 2026.4.1, each covered by a contract test:
- with num_return_sequences > 1 nothing can be read until all are done, so n is fanned out above;
- `max_num_seqs` is not kept with dynamic split-fuse, so the roster keeps it;
- an exception in `step` leaves every request in flight unusable (a bad grammar is enough), so
  grammars are compiled apart first, and after such a step all of them are ended;
- `step` holds the interpreter lock all the time, so other threads are let in between two of them;
- sums depend a little on who else is in the batch. A seed gives the same tokens when a request
  runs alone; among others, with `reproducible` (all in f32: 14 of 16 sampled answers of 100
  tokens were equal; 1 of 16 with only dynamic quantization off, 0 of 16 without).
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino
import openvino_genai

from ..backlog import Backlog
from ..errors import EngineFailed, LoadError, Overloaded
from ..integrity import refuse_altered
from ..manifest import EngineManifest
from ..request import Guide
from .openvino_grammar import GrammarChecker, structured_output
from .options import read_options
from .prefix_record import BLOCK_TOKENS, PrefixRecord
from .protocol import Delta, EngineStats, Finish, SequenceParams, Sink
from .roster import Roster, RosterSequence

CAPABILITIES: Final = frozenset(
    {
        "n", "seed", "top_k", "min_p", "repetition_penalty", "presence_penalty",
        "frequency_penalty", "min_tokens", "ignore_eos", "log_probs", "json", "json_schema",
        "regex", "ebnf_grammar", "prefix_cache",
    }
)  # fmt: skip
_LOG: Final = logging.getLogger(__name__)
_FINISH: Final[dict[Any, Finish]] = {
    openvino_genai.GenerationFinishReason.STOP: "stop",
    openvino_genai.GenerationFinishReason.LENGTH: "length",
}
# After a failed step, cancelled requests are gone after one more; a few are room for doubt.
_RECOVERY_STEPS: Final = 3
_ALL_F32: Final[dict[str, str | int]] = {
    "INFERENCE_PRECISION_HINT": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
    "KV_CACHE_PRECISION": "f32",
}
# Of a step's time, what the other threads get after it at most. Through Triton, with 8 streams of
# the demo model on 2 busy cores (medians of 3 runs in turn): with 0 the first token's p50 was
# 179 ms, the gaps' p99 150 ms, at 810 tokens/s; with 0.15 69 and 64 ms, at 751. 0.3 is as quick
# and loses twice as much.
_SHARE_OF_OTHERS: Final = 0.15
# In percent: PrefixRecord's "half of the cache".
_USAGE_OF_SURE_PREFIXES: Final = 50
# Below this the most likely token always wins, and from 1e-40 on OpenVINO computes with NaN.
_GREEDY_TEMPERATURE: Final = 1e-4
# OpenVINO takes min_p below 1 only; 1 means the same, the most likely token alone.
_MAX_MIN_P: Final = 0.9999

Check = Callable[[Guide], None]


@dataclass(frozen=True)
class OpenVinoOptions:
    """engine.json's options; `cache_size_gb` is the KV cache, `threads` 0 takes all cores.

    `max_num_batched_tokens` is how much of a prompt one step computes, while all other streams
    wait: 256 takes 6 % more CPU time a prompt than 2048, and an eighth of the wait.
    `reproducible` costs speed and four times the KV cache of each token; see the module.
    """

    cache_size_gb: int = 1
    max_num_batched_tokens: int = 256
    max_num_seqs: int = 64
    threads: int = 0
    reproducible: bool = True


@dataclass(slots=True)
class _Running:
    """A sequence in the pipeline; `began_at` in blocks, see PrefixRecord."""

    handle: Any
    began_at: int
    cached_tokens: int
    made: list[int] = field(default_factory=list)


def open_openvino_engine(
    folder: Path, manifest: EngineManifest, backlog: Backlog | None
) -> "OpenVinoEngine":
    """Load and warm the pipeline in a version folder; LoadError says what is wrong."""
    options = read_options(OpenVinoOptions, manifest.options)
    if not (folder / "openvino_model.xml").is_file():
        raise LoadError(f"{folder.parent.name}: openvino_model.xml is missing.")
    remedy = f"Run `scripts/add_model SOURCE --name {folder.parent.name} --replace`."
    refuse_altered(folder, manifest.files, remedy)
    try:
        return OpenVinoEngine(
            lambda: open_pipeline(folder, options), options, GrammarChecker(folder).check, backlog
        )
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise LoadError(f"{folder.parent.name}: OpenVINO cannot load it: {reason}.") from error


def open_pipeline(folder: Path, options: OpenVinoOptions) -> Any:
    """A pipeline over the model in this folder."""
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.cache_size = options.cache_size_gb
    scheduler.max_num_batched_tokens = options.max_num_batched_tokens
    scheduler.dynamic_split_fuse = True
    scheduler.enable_prefix_caching = True
    properties: dict[str, str | int] = {"INFERENCE_NUM_THREADS": options.threads}
    if options.reproducible:
        properties |= _ALL_F32
    return openvino_genai.ContinuousBatchingPipeline(folder, scheduler, "CPU", properties)


class OpenVinoEngine:
    """Continuous batching on the CPU."""

    capabilities = CAPABILITIES

    def __init__(
        self,
        open_new: Callable[[], Any],
        options: OpenVinoOptions,
        check_guide: Check,
        backlog: Backlog | None = None,
    ) -> None:
        self._open_new = open_new
        self._check_guide = check_guide
        self._backlog = backlog or Backlog()
        self._pipeline = open_new()
        self._roster = Roster(options.max_num_seqs)
        self._running: dict[RosterSequence, _Running] = {}
        self._next_id = 0
        self._cache_usage = 0.0
        self._cached_tokens = 0
        self._kv_blocks_total = self._warm()
        # The blocks of linear attention, which a few models mix in, are found by other rules.
        has_plain_cache = not self._pipeline.get_metrics().la_peak_pool_blocks
        self._prefixes = PrefixRecord(self._kv_blocks_total if has_plain_cache else 0)
        self._thread = threading.Thread(target=self._run, name="openvino-engine", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """False once the pipeline failed and could not be opened again."""
        return not self._roster.is_closed

    def check(self, params: SequenceParams) -> None:
        """Raise InvalidRequest for a guide that cannot be compiled."""
        if params.sampling.guide is not None:
            self._check_guide(params.sampling.guide)

    def submit(self, ids: Sequence[int], params: SequenceParams, sink: Sink) -> RosterSequence:
        """Queue one sequence."""
        return self._roster.add(ids, params, sink)

    def stats(self) -> EngineStats:
        """Figures of the last step; cached blocks count as used while anything runs."""
        num_running = len(self._roster.running)
        usage = self._cache_usage if num_running else 0.0
        return EngineStats(
            running=num_running,
            waiting=self._roster.num_waiting,
            max_running=self._roster.max_running,
            kv_blocks_used=round(usage / 100 * self._kv_blocks_total),
            kv_blocks_total=self._kv_blocks_total,
            prompt_tokens=self._roster.prompt_tokens,
            generated_tokens=self._roster.generated_tokens,
            cached_tokens=self._cached_tokens,
        )

    def close(self, timeout_s: float) -> None:
        """End all sequences as cancelled; a step in progress is waited for, up to the time."""
        self._roster.close()
        self._thread.join(timeout_s)

    def _warm(self) -> int:
        """Run one token through; the KV blocks there are, from the share that one block takes."""
        handle = self._add([0], openvino_genai.GenerationConfig(max_new_tokens=1))
        self._pipeline.step()
        share = self._pipeline.get_metrics().cache_usage
        handle.cancel()
        while self._pipeline.has_non_finished_requests():
            self._pipeline.step()
        return round(100 / share) if share else 0

    def _run(self) -> None:
        error: EngineFailed | None = None
        try:
            while self._roster.wait():
                self._work()
        except Exception:
            _LOG.exception("the OpenVINO engine has failed for good")
            error = EngineFailed()
        self._roster.close()
        self._roster.end_all(error)

    def _work(self) -> None:
        """Step until nothing is left to run, or the roster is closed."""
        while not self._roster.is_closed:
            self._start()
            if not self._running:
                return
            began_at = time.monotonic()
            try:
                self._pipeline.step()
            except RuntimeError as error:
                self._recover(error)
            self._cache_usage = self._pipeline.get_metrics().cache_usage
            self._read()
            if self._cache_usage > _USAGE_OF_SURE_PREFIXES:
                self._prefixes.forget_all()
            self._backlog.wait_until_done((time.monotonic() - began_at) * _SHARE_OF_OTHERS)

    def _start(self) -> None:
        began_at = self._num_blocks_taken()
        for sequence in self._roster.start_waiting():
            cached = self._prefixes.known_tokens(sequence.ids, self._num_blocks_taken())
            try:
                handle = self._add(sequence.ids, generation_config(sequence.params))
                self._running[sequence] = _Running(handle, began_at, cached)
                self._cached_tokens += cached
            except RuntimeError:
                _LOG.exception("OpenVINO refused a request that passed our checks")
                self._roster.finish(sequence, Delta(error=EngineFailed()))

    def _add(self, ids: Sequence[int], config: Any) -> Any:
        self._next_id += 1
        tensor = openvino.Tensor(np.array([ids], dtype=np.int64))
        return self._pipeline.add_request(self._next_id, tensor, config)

    def _read(self) -> None:
        for sequence, running in list(self._running.items()):
            handle = running.handle
            delta = _cancel(handle) if sequence.is_cancelled else _read_delta(sequence, handle)
            if delta is None:
                continue
            running.made += delta.ids
            if delta.is_last:
                del self._running[sequence]
                if delta.finish in ("stop", "length"):
                    # Of the last token nothing is cached: it was never the input of a step.
                    ids = [*sequence.ids, *running.made[:-1]]
                    self._prefixes.remember(ids, running.began_at)
                self._roster.finish(sequence, replace(delta, cached_tokens=running.cached_tokens))
            else:
                self._roster.progress(sequence, delta)

    def _num_blocks_taken(self) -> int:
        """As many blocks as have been taken at most: each sequence leaves one partly filled."""
        num_tokens = self._roster.prompt_tokens + self._roster.generated_tokens
        return num_tokens // BLOCK_TOKENS + self._next_id

    def _recover(self, error: RuntimeError) -> None:
        """End what was in flight; keep the pipeline if it is usable then, else open another."""
        _LOG.error("an OpenVINO step failed; %d sequences end: %s", len(self._running), error)
        for sequence, running in self._running.items():
            running.handle.cancel()
            self._roster.finish(sequence, Delta(error=EngineFailed()))
        self._running.clear()
        self._prefixes.forget_all()
        try:
            for _ in range(_RECOVERY_STEPS):
                if not self._pipeline.has_non_finished_requests():
                    return
                self._pipeline.step()
        except RuntimeError:
            _LOG.exception("the pipeline did not recover")
        self._pipeline = self._open_new()


def generation_config(params: SequenceParams) -> Any:
    """OpenVINO's form of our parameters."""
    sampling = params.sampling
    config = openvino_genai.GenerationConfig()
    config.max_new_tokens = params.max_tokens
    config.min_new_tokens = sampling.min_tokens
    config.ignore_eos = sampling.ignore_eos
    config.stop_token_ids = set(params.stop_token_ids)
    if params.stop_token_ids:
        # Left open, it is taken from generation_config.json, beside the ids we name.
        config.eos_token_id = params.stop_token_ids[0]
    config.repetition_penalty = sampling.repetition_penalty
    config.presence_penalty = sampling.presence_penalty
    config.frequency_penalty = sampling.frequency_penalty
    config.logprobs = 1 if sampling.log_probs else 0
    if sampling.temperature >= _GREEDY_TEMPERATURE:
        config.do_sample = True
        config.rng_seed = params.seed
        config.temperature = sampling.temperature
        config.top_p = sampling.top_p
        config.min_p = min(sampling.min_p, _MAX_MIN_P)
        if sampling.top_k:
            config.top_k = sampling.top_k
    if sampling.guide is not None:
        config.structured_output_config = structured_output(sampling.guide)
    return config


def _cancel(handle: Any) -> Delta:
    handle.cancel()
    return Delta(finish="cancelled")


def _read_delta(sequence: RosterSequence, handle: Any) -> Delta | None:
    """What a sequence has produced since the last look; None for nothing."""
    ids: list[int] = []
    log_probs: list[float] = []
    finish: Finish | None = None
    while handle.can_read():
        for output in handle.read().values():
            ids += output.generated_ids
            log_probs += output.generated_log_probs
            finish = _FINISH.get(output.finish_reason)
    if finish is None and handle.get_status() != openvino_genai.GenerationStatus.RUNNING:
        # IGNORED: the scheduler found no KV blocks for it, alone or beside the others.
        return Delta(error=Overloaded("The KV cache is too full for this request."))
    if not ids and finish is None:
        return None
    if finish == "stop" and ids and ids[-1] in sequence.params.stop_token_ids:
        ids.pop()
        log_probs = log_probs[: len(ids)]
    with_log_probs = sequence.params.sampling.log_probs
    return Delta(tuple(ids), tuple(log_probs) if with_log_probs else (), finish)
