"""What goes on beside the requests: statistics, the watch for dead workers, a bounded shutdown."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final

from .tensorrt_llm_stats import KvCache

_LOG: Final = logging.getLogger(__name__)
_STATS_TIMEOUT_S: Final = 1.0
# How many times within the allowed silence it is looked at, and how often at least.
_LOOKS_PER_SILENCE: Final = 4
_LONGEST_LOOK_S: Final = 1.0


async def drain_stats(llm: Any, kv_cache: KvCache) -> None:
    """Keep the figures up to date until cancelled; unread, the library piles them up for ever."""
    try:
        while True:
            async for stats in llm.get_stats_async(timeout=_STATS_TIMEOUT_S):
                kv_cache.take(stats)
            # It ends at once while nothing has run yet.
            await asyncio.sleep(_STATS_TIMEOUT_S)
    except Exception:
        _LOG.exception("TensorRT-LLM gives no statistics; its KV cache will show no figures")


def watch(
    llm: Any,
    silence_s: Callable[[], float],
    limit_s: float,
    die: Callable[[Exception], None],
    is_over: threading.Event,
) -> None:
    """Call `die` once when a worker has ended, or when running sequences get no token for long.

    silence_s: seconds since any running sequence was heard of, 0 while none runs. On a thread of
    its own, until `is_over`: a submission or a response that finds a worker dead shuts the library
    down at once, on the engine's loop, and waits there without limit for the other workers.
    """
    pause_s = min(limit_s / _LOOKS_PER_SILENCE, _LONGEST_LOOK_S)
    while not is_over.wait(pause_s):
        if has_dead_worker(llm):
            die(ConnectionError("a worker process of TensorRT-LLM has ended"))
            return
        if silence_s() > limit_s:
            die(ConnectionError(f"TensorRT-LLM has made no token for {limit_s:g} s"))
            return


def has_dead_worker(llm: Any) -> bool:
    """Whether a worker process has returned; a private name, so it may be missing."""
    workers: Sequence[Any] = getattr(getattr(llm, "_executor", None), "mpi_futures", ())
    return any(worker.done() for worker in workers)


async def shut_down(llm: Any, limit_s: float) -> bool:
    """Stop the library on a thread of its own; False when it was not done within the limit."""
    done: Future[None] = Future()
    done.set_running_or_notify_cancel()

    def work() -> None:
        try:
            llm.shutdown()
        except Exception:
            _LOG.exception("TensorRT-LLM failed while it shut down")
        done.set_result(None)

    # Not a daemon: the process must not end before its workers have let go of the GPU.
    threading.Thread(target=work, name="tensorrt-llm-shutdown").start()
    try:
        await asyncio.wait_for(asyncio.wrap_future(done), limit_s)
    except TimeoutError:
        return False
    return True
