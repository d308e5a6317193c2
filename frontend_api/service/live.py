"""A generation while it runs.

The generation owns a task that reads the model and never waits for the client;
the client's side takes what has gathered, merged, whenever it is ready for more.
So a slow reader costs memory for its own text only, and one reader's keepalives
or departure never touch the read from the model.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import structlog

from frontend_api.domain.errors import InternalFault, ModelNotReady, ServiceError, TimedOut
from frontend_api.domain.generation import Accepted, Delta, Timing, merge
from frontend_api.service.admission import Gates, Work
from frontend_api.service.idle_timer import IdleTimer

Events = AsyncGenerator[Accepted | Delta, None]
_log = structlog.get_logger()
# Other workers may unload a model in the moment before it is asked. That it is gone is seen at the
# next look at Triton, half a second later at most; then the gates wait until it is loaded again.
_MAX_ATTEMPTS: Final = 20
_PAUSE_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a generation may stay silent, in seconds; `between` None: until `total`."""

    first_s: float
    between_s: float
    total_s: float


class LiveGeneration:
    """One or more model runs answering one request; not a generator, so it can be closed unread."""

    def __init__(
        self,
        work: Work,
        open_runs: Callable[[Work], Sequence[Events]],
        deadlines: Deadlines,
        on_end: Callable[[LiveGeneration], None],
        *,
        gates: Gates,
        num_runs: int = 1,
    ) -> None:
        """Pass the gates, then start reading; `aclose` must be called by whoever made it.

        open_runs: asks the model, once the gates are passed: one run for each prompt.
        """
        loop = asyncio.get_running_loop()
        self.work = work
        self.usage = work.usage
        self.error: ServiceError | None = None
        self.finish_reasons: list[str] = []
        self._started_at = loop.time()
        self._placed_at: float | None = None
        self._accepted_at: float | None = None
        self._first_delta_at: float | None = None
        self._ended_at: float | None = None
        self._is_cancelled = False
        self._cached: dict[int, int] = {}
        self._choices_per_run = work.num_sequences // num_runs
        self._gates = gates
        self._open_runs = open_runs
        self._deadlines = deadlines
        self._on_end = on_end
        self._pending: list[Delta] = []
        self._waiter: asyncio.Future[None] | None = None
        self._unaccepted = num_runs
        self._patience = IdleTimer(self._wake)
        self._silence = IdleTimer(self._fall_silent)
        self._total = loop.call_later(deadlines.total_s, self._run_out)
        self._task = asyncio.create_task(self._pass_and_read())
        # Not a `finally` of the task: a task cancelled before its first step runs none.
        self._task.add_done_callback(self._end)

    async def accepted(self, within_s: float) -> None:
        """Wait until the model has taken the request, or has sent something, or `within_s` is over.

        Raises the ServiceError of a request that was refused: nothing has been sent yet.
        """
        deadline = self._started_at + within_s
        loop = asyncio.get_running_loop()
        while self._unaccepted and not self._pending and not self._has_ended:
            left_s = deadline - loop.time()
            if left_s <= 0:
                return
            await self._wait(left_s)
        if self.error is not None and not self._pending:
            raise self.error

    async def take(self, patience_s: float) -> Sequence[Delta] | None:
        """Return what has gathered, merged; empty after `patience_s` of nothing; None at the end.

        Raises the ServiceError that ended the generation, after everything before it was taken.
        """
        if self._pending:
            # Always-ready data would otherwise keep the loop from seeing a disconnect.
            await asyncio.sleep(0)
        elif not self._has_ended:
            await self._wait(patience_s)
        if self._pending:
            deltas, self._pending = self._pending, []
            return merge(deltas)
        if not self._has_ended:
            return ()
        if self.error is not None:
            raise self.error
        return None

    def fail(self, error: ServiceError) -> None:
        """End the generation with an error; the model run is cancelled."""
        if not self._has_ended and self.error is None:
            self.error = error
            self._task.cancel()

    def suffice(self) -> None:
        """Stop the model run, because what it has said is all that was wanted."""
        if not self._has_ended and self.error is None:
            self._task.cancel()

    async def aclose(self) -> None:
        """Stop the model run if it still goes on, and wait until it has stopped."""
        if not self._task.done() and not self._task.cancelling():
            self._is_cancelled = self.error is None
            self._task.cancel()
        await asyncio.wait([self._task])

    @property
    def outcome(self) -> str:
        """How it ended: `completed`, `cancelled` or the code of its error."""
        if self.error is not None:
            return self.error.code or "error"
        return "cancelled" if self._is_cancelled else "completed"

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.work.model.name

    @property
    def queue_position(self) -> int | None:
        """Its place in the line before the model, 1 is next; None when it is not in line."""
        return self.work.queue_position

    @property
    def is_started(self) -> bool:
        """Whether the model has said anything."""
        return self._first_delta_at is not None

    @property
    def timing(self) -> Timing:
        """How fast it is, or was."""
        now = asyncio.get_running_loop().time() if self._ended_at is None else self._ended_at
        return Timing(
            queue_s=None if self._accepted_at is None else self._accepted_at - self._started_at,
            first_token_s=self.first_token_s,
            tokens_per_second=self.usage.completion_tokens / max(now - self._started_at, 1e-3),
        )

    @property
    def placed_s(self) -> float | None:
        """Seconds from the start to when the model was asked; None if it never was."""
        return None if self._placed_at is None else self._placed_at - self._started_at

    @property
    def first_token_s(self) -> float | None:
        """Seconds from the start to the first delta; None if none came."""
        return None if self._first_delta_at is None else self._first_delta_at - self._started_at

    @property
    def duration_s(self) -> float:
        """Seconds from the start to the end, or to now."""
        end = asyncio.get_running_loop().time() if self._ended_at is None else self._ended_at
        return end - self._started_at

    @property
    def _has_ended(self) -> bool:
        return self._ended_at is not None

    async def _wait(self, limit_s: float) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        self._patience.arm(limit_s)
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._patience.disarm()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _pass_and_read(self) -> None:
        try:
            # What a key has paid for and set aside is so for all attempts.
            async with self._gates.entered(self.work):
                while not await self._attempt():
                    self.work.num_attempts += 1
                    await asyncio.sleep(_PAUSE_S)
        except* ServiceError as failures:
            self.error = self.error or _first(failures)
        except* Exception:
            _log.exception("generation.fault")
            self.error = self.error or InternalFault("The server had an error. Please try again.")

    async def _attempt(self) -> bool:
        """Get a place and read to the end; False: the model was unloaded meanwhile."""
        async with self._gates.placed(self.work):
            self._placed_at = asyncio.get_running_loop().time()
            # In the line the gates' own deadlines hold.
            self._silence.arm(self._deadlines.first_s)
            try:
                await self._read_all(self._open_runs(self.work))
            except BaseExceptionGroup as failures:
                self._silence.disarm()
                if not (isinstance(_first(failures), ModelNotReady) and self._may_ask_again):
                    raise
                return False
        return True

    @property
    def _may_ask_again(self) -> bool:
        is_untouched = not (self.usage.prompt_tokens or self._accepted_at or self._first_delta_at)
        # A failure at the moment of a cancellation takes its place.
        is_wanted = not self._task.cancelling()
        return is_untouched and is_wanted and self.work.num_attempts < _MAX_ATTEMPTS

    async def _read_all(self, runs: Sequence[Events]) -> None:
        async with asyncio.TaskGroup() as group:
            reading = [
                group.create_task(self._read(run, number * self._choices_per_run))
                for number, run in enumerate(runs)
            ]
            # In here: when one fails while the group waits at its end, Python 3.11 leaves this
            # task marked as cancelled, and then nobody could cancel its next attempt.
            await asyncio.wait(reading)

    async def _read(self, run: Events, offset: int) -> None:
        async with aclosing(run) as events:
            async for event in events:
                self._silence.arm(self._deadlines.between_s)
                if isinstance(event, Accepted):
                    await self._accept(event)
                else:
                    self._keep(event, offset)
                self._wake()

    async def _accept(self, event: Accepted) -> None:
        self.usage.prompt_tokens += event.num_input_tokens
        await self._gates.accepted(self.work)
        self._unaccepted -= 1
        self._accepted_at = asyncio.get_running_loop().time()
        # Queued and checked, but no token yet: the first one may still take its time.
        self._silence.arm(self._deadlines.first_s)

    def _keep(self, delta: Delta, offset: int) -> None:
        if self._first_delta_at is None:
            self._first_delta_at = asyncio.get_running_loop().time()
        self.usage.completion_tokens += delta.num_output_tokens
        if delta.finish_reason is not None:
            self.finish_reasons.append(delta.finish_reason)
        if delta.num_cached_tokens:
            self._count_cached(delta.num_cached_tokens, offset)
        if offset:
            delta = delta._replace(sequence_index=delta.sequence_index + offset)
        self._pending.append(delta)

    def _count_cached(self, num_tokens: int, run: int) -> None:
        """A prompt is counted once, however many sequences found it in the cache."""
        self._cached[run] = max(num_tokens, self._cached.get(run, 0))
        self.usage.cached_tokens = sum(self._cached.values())

    def _fall_silent(self) -> None:
        waited_for = "first token" if self._first_delta_at is None else "next token"
        self.fail(TimedOut(f"The model took too long to produce the {waited_for}."))

    def _run_out(self) -> None:
        self.fail(TimedOut("The generation took longer than the server allows."))

    def _end(self, _: asyncio.Task[None]) -> None:
        self._ended_at = asyncio.get_running_loop().time()
        self._silence.close()
        self._patience.close()
        self._total.cancel()
        self._on_end(self)
        self._wake()


def _first(failures: BaseExceptionGroup[ServiceError]) -> ServiceError:
    error: BaseException = failures
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, ServiceError) else InternalFault(str(error))
