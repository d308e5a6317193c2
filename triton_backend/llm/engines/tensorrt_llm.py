"""TensorRT-LLM's LLM API, fed with token ids: compiled engines and PyTorch-flow checkpoints.

One thread with one event loop owns the library's object: requests, cancellations, results and
statistics are handled there and nowhere else, since it writes to its workers over a socket
without a lock and ties every result to one loop. What its source says and these modules keep:
- a request's parameters are changed by it, so each request gets its own (requests);
- a result grows, and can shrink at the end, so each sequence has its own cursor (cursor);
- n > 1 gives wrong finish reasons, so n is fanned out above;
- a worker's death is only noticed by the next request, so a thread looks for it (upkeep);
- its shutdown can hang, so it has a time limit, after which the process ends itself.
No more sequences than `max_batch_size` are handed over, so whoever waits can leave at no cost.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final

from ..errors import LoadError, RequestError
from .loop_roster import LoopRoster
from .protocol import Delta, EngineStats, SequenceParams, Sink
from .roster import RosterSequence
from .tensorrt_llm_cursor import Cursor
from .tensorrt_llm_failures import death, refusal, request_failure
from .tensorrt_llm_library import Library
from .tensorrt_llm_options import EngineSettings
from .tensorrt_llm_requests import Requests
from .tensorrt_llm_sampling import refuse_impossible
from .tensorrt_llm_stats import KvCache
from .tensorrt_llm_upkeep import drain_stats, shut_down, watch

_LOG: Final = logging.getLogger(__name__)
_SHUTDOWN_LIMIT_S: Final = 3.0
_EXIT_CODE: Final = 70  # "internal software error" of sysexits.h


class TensorRtLlmEngine:
    """In-flight batching on NVIDIA GPUs."""

    def __init__(
        self, library: Library, open_llm: Callable[[], Any], settings: EngineSettings
    ) -> None:
        self.capabilities = settings.capabilities
        self._library = library
        self._settings = settings
        self._requests = Requests(library, settings.kind, settings.vocab_size, settings.adapters)
        self._llm: Any = None
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._roster = LoopRoster(settings.max_running, self._loop, self._turn)
        self._tasks: dict[RosterSequence, asyncio.Task[None]] = {}
        self._results: dict[RosterSequence, Any] = {}
        self._kv_cache = KvCache()
        self._cached_tokens = 0
        self._heard_at = 0.0
        self._fatal: Exception | None = None
        self._started: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(open_llm,), name="tensorrt-llm-engine", daemon=True
        )
        self._thread.start()
        self._wait_until_started()

    @property
    def is_alive(self) -> bool:
        """False once closed, or when a worker has died."""
        return not self._roster.is_closed

    def check(self, params: SequenceParams) -> None:
        """Raise InvalidRequest for what this engine could not keep."""
        refuse_impossible(params, self._settings.adapters)

    def submit(self, ids: Sequence[int], params: SequenceParams, sink: Sink) -> RosterSequence:
        """Queue one sequence."""
        return self._roster.add(ids, params, sink)

    def stats(self) -> EngineStats:
        """Our own count of sequences; KV blocks as the last iteration told them."""
        num_running = len(self._roster.running)
        return EngineStats(
            running=num_running,
            waiting=self._roster.num_waiting,
            max_running=self._roster.max_running,
            kv_blocks_used=self._kv_cache.blocks_used if num_running else 0,
            kv_blocks_total=self._kv_cache.blocks_total,
            prompt_tokens=self._roster.prompt_tokens,
            generated_tokens=self._roster.generated_tokens,
            cached_tokens=self._cached_tokens,
        )

    def close(self, timeout_s: float) -> None:
        """End all sequences as cancelled and shut the library down, in this time at most."""
        self._stop()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._exit_late("TensorRT-LLM did not stop in time")

    def _stop(self) -> None:
        self._roster.close()
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            self._loop.call_soon_threadsafe(self._stopping.set)

    def _wait_until_started(self) -> None:
        try:
            self._started.result(self._settings.load_limit_s)
        except TimeoutError as error:
            self._stop()
            raise LoadError("TensorRT-LLM did not load it in time.") from error
        except Exception as error:
            _LOG.error("TensorRT-LLM could not load a model", exc_info=error)
            raise LoadError("TensorRT-LLM could not load it; Triton's log says why.") from error

    def _run(self, open_llm: Callable[[], Any]) -> None:
        """The engine's thread; the library is opened before the loop runs, as that takes long."""
        try:
            self._llm = open_llm()
            self._loop.run_until_complete(self._serve_all())
        except Exception as error:
            self._fatal = error
            if not self._started.done():
                self._started.set_exception(error)
        finally:
            self._roster.close()
            self._roster.end_all(death(self._fatal) if self._fatal else None)
            self._loop.close()

    async def _serve_all(self) -> None:
        """From the first token to the shutdown."""
        is_over = threading.Event()
        try:
            async with asyncio.timeout(self._settings.load_limit_s):
                await self._requests.warm(self._llm)
            limit_s = self._settings.silence_limit_s
            upkeep = asyncio.create_task(drain_stats(self._llm, self._kv_cache))
            looks = (self._llm, self._silence_s, limit_s, self._die, is_over)
            threading.Thread(
                target=watch, args=looks, name="tensorrt-llm-watch", daemon=True
            ).start()
            self._started.set_result(None)
            await self._stopping.wait()
            await self._end_sequences()
            await _end([upkeep])
        finally:
            is_over.set()
            if not await shut_down(self._llm, _SHUTDOWN_LIMIT_S):
                self._exit_late("TensorRT-LLM did not shut down in time")

    async def _end_sequences(self) -> None:
        self._roster.close()
        if self._fatal is None:
            for sequence in list(self._results):
                self._abort(sequence)
        await _end(list(self._tasks.values()))
        self._roster.end_all(death(self._fatal) if self._fatal else None)

    def _turn(self) -> None:
        """Abort what was cancelled and start what waits; runs on the loop."""
        if self._roster.is_closed:
            return
        for sequence in [one for one in self._results if one.is_cancelled]:
            self._abort(sequence)
        for sequence in self._roster.start_waiting():
            if not self._tasks:
                self._heard_at = self._loop.time()
            self._tasks[sequence] = self._loop.create_task(self._serve(sequence))

    def _abort(self, sequence: RosterSequence) -> None:
        """Have the engine end a sequence; its result still comes to its end."""
        try:
            self._results.pop(sequence).abort()
        except Exception as error:
            self._die(error)

    async def _serve(self, sequence: RosterSequence) -> None:
        """One sequence from its submission to its last delta."""
        try:
            result = self._requests.submit(self._llm, sequence)
        except Exception as error:
            self._fail(sequence, error, refusal(error))
            return
        self._results[sequence] = result
        if sequence.is_cancelled:
            self._abort(sequence)
        try:
            await self._read(sequence, result)
        except Exception as error:
            self._fail(sequence, error, error if isinstance(error, RequestError) else None)

    async def _read(self, sequence: RosterSequence, result: Any) -> None:
        sampling = sequence.params.sampling
        stops = () if sampling.ignore_eos else sequence.params.stop_token_ids
        cursor = Cursor(stops, has_log_probs=sampling.log_probs, num_top=sampling.top_log_probs)
        async for step in result:
            self._heard_at = self._loop.time()
            delta = cursor.read(step)
            if delta.is_last:
                self._finish(sequence, delta)
                return
            if delta.ids:
                self._roster.progress(sequence, delta)
        raise ConnectionError("TensorRT-LLM ended a result without a last response")

    def _fail(
        self, sequence: RosterSequence, error: Exception, answer: RequestError | None
    ) -> None:
        """End one sequence with this answer; without one, the whole engine is taken for dead."""
        if isinstance(error, self._library.request_error):
            answer = request_failure(error, has_guide=sequence.params.sampling.guide is not None)
        if answer is None:
            self._die(error)
            return
        _LOG.warning("TensorRT-LLM failed a request: %s", error)
        if sequence in self._results:
            self._abort(sequence)
        self._finish(sequence, Delta(error=answer))

    def _finish(self, sequence: RosterSequence, delta: Delta) -> None:
        self._cached_tokens += delta.cached_tokens
        self._tasks.pop(sequence, None)
        self._results.pop(sequence, None)
        self._roster.finish(sequence, delta)
        self._turn()

    def _silence_s(self) -> float:
        return self._loop.time() - self._heard_at if self._tasks else 0.0

    def _die(self, error: Exception) -> None:
        """Fail everything and end this process soon, so that whoever watches it starts another.

        From any thread: when the library blocks the loop, the process still ends.
        """
        if self._fatal is None:
            self._fatal = error
            self._stop()
            self._exit(f"the TensorRT-LLM engine has died: {error}", self._settings.exit_grace_s)

    def _exit_late(self, reason: str) -> None:
        self._exit(reason, self._settings.shutdown_grace_s)

    def _exit(self, reason: str, grace_s: float) -> None:
        _LOG.error("%s; the model's process ends in %g s at the latest", reason, grace_s)
        timer = threading.Timer(grace_s, self._settings.exit_process, [_EXIT_CODE])
        timer.daemon = True
        timer.start()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
