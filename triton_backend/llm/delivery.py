"""The one thread that talks to Triton's response senders.

Sending blocks for the hand-over to Triton's process and asking "is it cancelled?" is a round
trip, so both happen here and nowhere else: the engine never waits for Triton, and no request is
asked after its last response. Requests are served in the order they have news.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from .backlog import Backlog

# A cancelled request must free its sequence in 250 ms.
CANCEL_POLL_S: Final = 0.1
_LOG: Final = logging.getLogger(__name__)


class Deliverable(Protocol):
    """A request as the delivery thread sees it."""

    def deliver(self) -> bool:
        """Send what is due; True when that was the last response."""
        ...

    def poll_cancelled(self) -> None:
        """Ask Triton whether the client has gone, and stop working for it if so."""
        ...

    def abandon(self) -> None:
        """Sending failed: stop working for this request."""
        ...

    def end(self) -> None:
        """Send an error, since nothing else will come."""
        ...

    def release(self) -> None:
        """The last response has been sent; nothing is asked of it any more."""
        ...


class Delivery:
    """Owns the sending thread; `on_poll` runs on it, ten times a second.

    backlog: what is announced and not yet sent is counted there.
    """

    def __init__(self, on_poll: Callable[[], None], backlog: Backlog) -> None:
        self._on_poll = on_poll
        self._backlog = backlog
        self._news: queue.SimpleQueue[Deliverable | None] = queue.SimpleQueue()
        self._live: dict[Deliverable, None] = {}
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)
        self._thread.start()

    @property
    def num_live(self) -> int:
        """Requests whose last response has not been sent."""
        return len(self._live)

    def watch(self, request: Deliverable) -> None:
        """Begin to ask whether this request's client has gone."""
        self._live[request] = None

    def announce(self, request: Deliverable) -> None:
        """Have the request's news sent; callable from any thread."""
        self._backlog.add()
        self._news.put(request)

    def close(self, timeout_s: float) -> None:
        """Send what has been announced so far, end what is left, then stop."""
        self._news.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        next_poll = time.monotonic() + CANCEL_POLL_S
        while True:
            try:
                request = self._news.get(timeout=max(0.0, next_poll - time.monotonic()))
            except queue.Empty:
                pass
            else:
                if request is None:
                    break
                self._deliver(request)
                self._backlog.done()
            if time.monotonic() >= next_poll:
                self._poll()
                next_poll = time.monotonic() + CANCEL_POLL_S
        for left in list(self._live):
            self._guarded(left.end)
            left.release()
        self._guarded(self._on_poll)

    def _deliver(self, request: Deliverable) -> None:
        if request not in self._live:
            return
        try:
            is_done = request.deliver()
        except Exception:
            _LOG.exception("a response could not be sent")
            request.abandon()
            is_done = True
        if is_done:
            del self._live[request]
            request.release()

    def _poll(self) -> None:
        for request in list(self._live):
            self._guarded(request.poll_cancelled)
        if not self._guarded(self._on_poll):
            self._on_poll = _do_nothing  # it would fail and be logged ten times a second

    def _guarded(self, action: Callable[[], None]) -> bool:
        """Run one action; its failure must not stop the others. True when it succeeded."""
        try:
            action()
        except Exception:
            _LOG.exception("the delivery thread goes on after a failure")
            return False
        return True


def _do_nothing() -> None:
    """In place of an `on_poll` that failed."""
