"""The use case of stored answers: responses that survive their clients.

The server owns a response from its creation on; clients only look. It is durable before its
first piece is shown and saved before its end is.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import structlog

from frontend_api.domain.endings import ending_of
from frontend_api.domain.errors import (
    BadRequest,
    NotFound,
    RequestCancelled,
    ShuttingDown,
    StoreLost,
)
from frontend_api.domain.history import (
    Conversation,
    chat_messages,
    check_results,
    items_on,
    latest,
)
from frontend_api.domain.messages import Item, Message, Run
from frontend_api.domain.tree import path_to
from frontend_api.ports import Clock, SessionStore, Tokenizing
from frontend_api.service.checkpoints import Checkpoints
from frontend_api.service.feeds import EndedFeed, Feed, LogFeed, StoredFeed
from frontend_api.service.generations import Generations
from frontend_api.service.orders import Order
from frontend_api.service.pending_writes import LastWrite, PendingWrites, Removal, Undo
from frontend_api.service.places import Place, Places
from frontend_api.service.reaper import Reaper
from frontend_api.service.request_limits import RequestLimits
from frontend_api.service.response_run import ResponseRun, status_of
from frontend_api.service.starting import Started, Starting
from frontend_api.service.turns import Turns
from frontend_api.settings import Settings
from frontend_api.telemetry import Telemetry

# A request for the background is checked by the model before it is answered, but not for longer.
_BACKGROUND_PATIENCE_S: Final = 1.0
# What a living worker needs to renew a lease once the store is back, in checkpoints.
_GRACE_CHECKPOINTS: Final = 2
# How long a cancel waits for another worker, in checkpoints: it sees the request with its next.
_CANCEL_CHECKPOINTS: Final = 2
# What is given to runs that were stopped for their last write, in time-outs of the store.
_CLOSING_TIMEOUTS: Final = 3
_SHUTDOWN: Final = ShuttingDown("The server is shutting down.")
_log = structlog.get_logger()
T = TypeVar("T")


class Responses:
    """Makes responses, and finds, follows, stops and deletes them."""

    def __init__(
        self,
        generations: Generations,
        store: SessionStore,
        tokenizing: Tokenizing,
        *,
        clock: Clock,
        settings: Settings,
        telemetry: Telemetry,
        on_end: Callable[[Message], None] = lambda _: None,
    ) -> None:
        """Use these; nothing is opened before `running`.

        on_end: told of every stored response that has ended here.
        """
        self._generations = generations
        self._store = store
        self._clock = clock
        self._settings = settings
        self._on_end = on_end
        self._is_closing = False
        self._worker = secrets.token_hex(8)
        self._runs: dict[str, ResponseRun] = {}
        self._tasks: set[asyncio.Task[object]] = set()
        self._grace_s = _GRACE_CHECKPOINTS * settings.store.checkpoint_interval_s
        # Twice in a lease, so that nothing stays dead for much longer than one.
        self._reaper = Reaper(
            store, clock, interval_s=settings.store.lease_s / 2, grace_s=self._grace_s
        )
        self._limits = RequestLimits(settings.limits)
        self._places = Places(store, clock, self._reaper.end_dead)
        self._starting = Starting(generations, tokenizing)
        self._turns = Turns(store, self._places, clock, settings.limits)
        self._telemetry = telemetry
        self._writes = PendingWrites(store, telemetry, settings.store)
        self._checkpoints = Checkpoints(
            store,
            self._writes,
            lambda: [run for run in self._runs.values() if run.is_stored],
            clock=clock,
            settings=settings.store,
        )

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Save what runs, watch the leases; at the end stop what still runs, and save it.

        When the server is draining, what runs gets the time that streams get: no connection
        waits for what runs in the background.
        """
        loops = [
            asyncio.create_task(self._checkpoints.keep_going()),
            asyncio.create_task(self._reaper.keep_going()),
        ]
        try:
            yield
        finally:
            await self._generations.drained(self._settings.server.drain_timeout_s)
            await self._stop_all()
            for loop in loops:
                loop.cancel()
            await asyncio.wait(loops)
            await self._writes.flush()

    async def create(self, order: Order) -> Feed:
        """Begin a response; it is durable, and the model has accepted it, when this returns.

        A background response may still wait for the model then. The caller closes the feed.
        Raises a ServiceError, and leaves nothing stored, when the request is refused: NotFound
        for what it continues, Conflict when that still runs or the head of its session moved,
        LimitReached, ContextTooLong, StoreLost.
        """
        if order.is_background and not order.is_stored:
            raise BadRequest(
                "A background response must be stored.", param="background", code="invalid_value"
            )
        self._limits.check_items(order.items, order.instructions)
        place = await self._places.find(order)
        if order.is_stored:
            self._turns.check(order, place)
        started = await self._start(order, place)
        if not order.is_stored:
            return self._unstored(order, place, started)
        # The client may leave in the middle of this: then the response is made all the same.
        return await asyncio.shield(self._own(self._stored(order, place, started)))

    async def get(self, owner: str, response_id: str) -> Message:
        """Return the response as far as it is; raises NotFound."""
        if (run := self._run_of(owner, response_id)) is not None and run.is_stored:
            return run.message
        return self._writes.message(owner, response_id) or await self._found(owner, response_id)

    def is_waiting(self, owner: str, response_id: str) -> bool:
        """Whether a response has ended here and waits for the store."""
        return self._writes.message(owner, response_id) is not None

    async def follow(self, owner: str, response_id: str) -> Feed:
        """Return a feed of it from its first piece on; the caller closes it. Raises NotFound."""
        self._telemetry.stream_resumed()
        if (run := self._run_of(owner, response_id)) is not None and run.is_stored:
            return LogFeed(run.log)
        if (unsaved := self._writes.message(owner, response_id)) is not None:
            return EndedFeed(unsaved, is_saved=False)
        message = await self._found(owner, response_id)
        # Twice: the mark bears the time before the grace after which the reaper writes it.
        return StoredFeed(message, self._store, self._clock, grace_s=2 * self._grace_s)

    async def cancel(self, owner: str, response_id: str) -> Message:
        """Stop it, wherever it runs, and return it with what it has said; raises NotFound.

        The response may still be running when its worker does not heed the request soon.
        """
        if (run := self._run_of(owner, response_id)) is not None:
            run.stop(RequestCancelled("The response was cancelled."))
            await run.log.ended()
            return run.message
        message = await self.get(owner, response_id)
        if message.run is None or not message.run.is_running:
            return message
        await self._store.request_cancel(owner, response_id)
        return await self._awaited(message)

    async def delete(self, owner: str, response_id: str) -> None:
        """Stop and delete it; what follows it keeps its place. Raises NotFound."""
        await self.get(owner, response_id)
        # First in the store: while it does not answer, the response stays and goes on.
        is_there = await self._store.delete_message(owner, response_id)
        if (run := self._run_of(owner, response_id)) is not None:
            run.discard()
        self._writes.forget(response_id)
        if not is_there:
            raise _not_found(response_id)

    async def input_of(self, owner: str, response_id: str) -> Sequence[tuple[str, Item]]:
        """Return the ids and items of all that came before it, the oldest first."""
        message = await self.get(owner, response_id)
        tree = await self._store.messages(owner, message.session_id)
        return items_on(path_to(tree, message.parent_id))

    async def remove_session(self, owner: str, session_id: str) -> None:
        """Remove a session whose making has failed, now or when the store is back."""
        await self._writes.write(Removal(owner, session_id))

    def stop_session(self, owner: str, session_id: str) -> None:
        """Stop what this worker runs for a session that is deleted; nothing of it is saved."""
        for run in self._runs.values():
            message = run.log.message
            if (message.owner, message.session_id) == (owner, session_id):
                run.discard()
        self._writes.forget_session(owner, session_id)

    def _run_of(self, owner: str, response_id: str) -> ResponseRun | None:
        run = self._runs.get(response_id)
        if run is None or run.is_discarded or run.log.message.owner != owner:
            return None
        return run

    async def _found(self, owner: str, response_id: str) -> Message:
        message = await self._store.message(owner, response_id)
        if message is None or message.run is None or message.is_deleted:
            raise _not_found(response_id)
        return message

    async def _awaited(self, message: Message) -> Message:
        """Return the response once it has ended, or as it is after some checkpoints."""
        loop = asyncio.get_running_loop()
        interval_s = self._settings.store.checkpoint_interval_s
        deadline = loop.time() + _CANCEL_CHECKPOINTS * interval_s
        while message.run is not None and message.run.is_running and loop.time() < deadline:
            await asyncio.sleep(interval_s / 4)
            message = await self._found(message.owner, message.id)
        return message

    async def _start(self, order: Order, place: Place) -> Started:
        earlier = [item for _, item in items_on(place.path)]
        check_results(earlier, order.items)
        past = chat_messages(earlier)
        new = chat_messages(order.items)
        if order.max_history is not None:
            past = latest(past, order.max_history - len(new))
        conversation = Conversation(past, new, order.instructions)
        patience_s = self._settings.triton.queue_timeout_s
        if order.is_background:
            patience_s = min(_BACKGROUND_PATIENCE_S, patience_s)
        return await self._starting.start(order, conversation, patience_s)

    async def _stored(self, order: Order, place: Place, started: Started) -> Feed:
        messages = self._turns.messages(order, place, self._placeholder(order, started))
        try:
            await self._turns.store(place, messages)
        except BaseException as failure:
            if isinstance(failure, StoreLost | asyncio.CancelledError):
                # A session made for it has an id that nobody else knows.
                is_own = place.is_new and order.session_id is None
                session = place.session
                self._writes.wait_with(
                    Removal(session.owner, session.id) if is_own else Undo(messages)
                )
            await started.live.aclose()
            raise
        return LogFeed(self._begin(messages[-1], started, is_stored=True).log)

    def _unstored(self, order: Order, place: Place, started: Started) -> Feed:
        message = self._turns.messages(order, place, self._placeholder(order, started))[-1]
        run = self._begin(message, started, is_stored=False)

        async def cancel() -> None:
            run.stop(RequestCancelled("The client has left."))
            await run.log.ended()

        return LogFeed(run.log, cancel)

    def _placeholder(self, order: Order, started: Started) -> Run:
        return Run(
            model=order.request.model,
            status=status_of(started.live),
            worker=self._worker,
            lease_until=self._checkpoints.lease_until,
            settings=order.settings,
            is_background=order.is_background,
            num_dropped=started.num_dropped,
        )

    def _begin(self, message: Message, started: Started, *, is_stored: bool) -> ResponseRun:
        run = ResponseRun(message, started.live, started.reader, is_stored=is_stored)
        self._runs[message.id] = run
        self._own(self._carry(run))
        if self._is_closing:
            run.stop(_SHUTDOWN)
        return run

    async def _carry(self, run: ResponseRun) -> None:
        """Read the run to its end; the end is saved before anybody sees it."""
        try:
            ending = await run.read(self._clock)
            message, is_saved = run.ended(ending), False
            if run.is_stored and not run.is_discarded:
                last = run.unsaved(self._checkpoints.lease_until)
                is_saved = await self._writes.write(LastWrite(last, ending, message))
            run.log.end(message, is_saved=is_saved)
            _log.info(
                "response.ended",
                response_id=message.id,
                status=ending.status,
                code=ending.error_code,
                is_saved=is_saved,
            )
            if run.is_stored and not run.is_discarded:
                self._on_end(message)
        finally:
            del self._runs[run.log.message.id]
            if not run.log.is_ended:
                # Given up at the end of the worker: its readers must not wait for ever.
                given_up = ending_of(None, _SHUTDOWN, self._clock.now())
                run.log.end(run.ended(given_up), is_saved=False)

    def _own(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _stop_all(self) -> None:
        self._is_closing = True
        for run in self._runs.values():
            run.stop(_SHUTDOWN)
        deadline_s = _CLOSING_TIMEOUTS * self._settings.store.operation_timeout_s
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


def _not_found(response_id: str) -> NotFound:
    return NotFound(f"Response with id '{response_id}' not found.")
