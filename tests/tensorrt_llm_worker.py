"""The other side of the double: a worker that batches requests, one token for each an iteration."""

import asyncio
import contextlib
import random
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

# An iteration's length: short, but other threads get their turn.
_ITERATION_S = 0.0005
_BLOCKS = 1_000
_TOKENS_PER_BLOCK = 32
FIRST_TOKEN, LAST_TOKEN = 3, 500


@dataclass(frozen=True)
class Step:
    """One response: all tokens so far."""

    ids: list[int]
    log_probs: list[Any]
    finish: str | None


@dataclass(eq=False)
class Request:
    """One request inside the worker; `put` hands a response or an error to its result."""

    put: Callable[[Any], object]
    tokens: random.Random
    num_prompt: int
    max_tokens: int
    min_tokens: int
    end_id: int | None
    stop_token_ids: frozenset[int]
    log_probs: Callable[[int, float], Any] | None
    ids: list[int] = field(default_factory=list)
    is_aborted: bool = False
    thread: int = field(default_factory=threading.get_ident)

    def refuse_other_thread(self) -> None:
        """The library writes to one socket without a lock."""
        assert threading.get_ident() == self.thread, "abort() from a foreign thread"

    def advance(self, *, emits_end: bool) -> bool:
        """Make one token; True when it was the last."""
        if self.is_aborted:
            return self._respond("cancelled")
        token_id = self.tokens.randint(FIRST_TOKEN, LAST_TOKEN)
        while token_id == self.end_id and len(self.ids) < self.min_tokens:
            token_id = self.tokens.randint(FIRST_TOKEN, LAST_TOKEN)
        if token_id == self.end_id:
            self.ids += [token_id] if emits_end else []
            return self._respond("stop")
        self.ids.append(token_id)
        if token_id in self.stop_token_ids:
            self._respond(None)  # while it streams the stop token is there ...
            self.ids.pop()  # ... and in the last response it is gone
            return self._respond("stop")
        return self._respond("length" if len(self.ids) >= self.max_tokens else None)

    def _respond(self, finish: str | None) -> bool:
        found: list[Any] = []
        if self.log_probs is not None:
            found = [self.log_probs(token_id, -token_id / 100) for token_id in self.ids]
        with contextlib.suppress(RuntimeError):  # the loop has gone
            self.put(Step(list(self.ids), found, finish))
        return finish is not None


class Worker:
    """A worker process, as a thread; `die` and `freeze` are the test's."""

    def __init__(self, max_batch_size: int, *, emits_end: bool) -> None:
        self.process: Future[None] = Future()
        self.is_shut_down = False
        self.hangs_at_shutdown: threading.Event | None = None
        self.hangs_at_submission: threading.Event | None = None
        self.error_for_next: Exception | None = None
        self._emits_end = emits_end
        self._max_batch_size = max_batch_size
        self._requests: list[Request] = []
        self._has_work = threading.Event()
        self._is_gone = False
        self._figures: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, request: Request) -> None:
        """Take a request in."""
        assert len(self._requests) <= self._max_batch_size
        self._requests.append(request)
        self._has_work.set()

    def fail_requests(self, error: Exception) -> None:
        """Answer each running request with an error; the worker lives on."""
        failed, self._requests = self._requests, []
        for request in failed:
            request.put(error)

    def time_out_requests(self) -> None:
        """End each running request as too late."""
        ended, self._requests = self._requests, []
        for request in ended:
            request.put(Step(list(request.ids), [], "timeout"))

    def die(self) -> None:
        """End without a word, as a killed process does: only its future shows it."""
        self.freeze()
        self.process.set_result(None)

    def freeze(self) -> None:
        """Make no further token."""
        self._is_gone = True
        self._has_work.set()
        self._thread.join()

    def shut_down(self) -> None:
        """Stop; hangs when told to."""
        self.is_shut_down = True
        self.freeze()
        if self.hangs_at_shutdown is not None:
            self.hangs_at_shutdown.wait()

    async def stats(self, timeout_s: float) -> AsyncIterator[dict[str, Any]]:
        """The figures of iterations since the last call."""
        loop = asyncio.get_running_loop()
        silent_since = loop.time()
        while loop.time() - silent_since < timeout_s and not self._is_gone:
            while self._figures:
                silent_since = loop.time()
                yield self._figures.pop(0)
            await asyncio.sleep(_ITERATION_S)

    def _run(self) -> None:
        while not self._is_gone:
            self._has_work.wait()
            self._has_work.clear()
            while self._requests and not self._is_gone:
                self._iterate()

    def _iterate(self) -> None:
        tokens = sum(one.num_prompt + len(one.ids) for one in self._requests)
        used = min(_BLOCKS, len(self._requests) + tokens // _TOKENS_PER_BLOCK)
        cache = {"maxNumBlocks": _BLOCKS, "usedNumBlocks": used, "tokensPerBlock": 32}
        self._figures.append({"iter": 1, "kvCacheStats": cache})
        for request in list(self._requests):
            if request.advance(emits_end=self._emits_end):
                self._requests.remove(request)
        threading.Event().wait(_ITERATION_S)
