"""One request's life between Triton and the engine: admitted, answered, done.

The admission thread sets what is to be said; the delivery thread says it.
"""

import threading
from collections.abc import Callable
from typing import Protocol

from .errors import EngineFailed, RequestError
from .generation import Generation
from .reply import Reply


class ResponseStream(Protocol):
    """Triton's response sender of one request."""

    def send(self, reply: Reply, *, is_final: bool) -> None:
        """Send a response."""
        ...

    def fail(self, error: RequestError) -> None:
        """Send the error and close."""
        ...

    def is_cancelled(self) -> bool:
        """Whether the client has gone."""
        ...

    def release(self) -> None:
        """Let the sender go; nothing is called after that."""
        ...


class Exchange:
    """A request and what is to be said to its client."""

    def __init__(self, stream: ResponseStream, announce: Callable[["Exchange"], None]) -> None:
        self._stream = stream
        self._announce = announce
        self._lock = threading.Lock()
        self._error: RequestError | None = None
        self._answer: Reply | None = None
        self._acknowledgement: Reply | None = None
        self._generation: Generation | None = None
        self.is_cancelled = False

    def changed(self) -> None:
        """There is something new to say."""
        self._announce(self)

    def fail(self, error: RequestError) -> None:
        """Answer with an error."""
        self._error = error
        self.changed()

    def answer(self, reply: Reply) -> None:
        """Answer with one response."""
        self._answer = reply
        self.changed()

    def acknowledge(self, reply: Reply) -> None:
        """Say that the request is accepted, before anything is generated."""
        self._acknowledgement = reply
        self.changed()

    def attach(self, generation: Generation) -> None:
        """Answer with what this generation makes; a client that has gone cancels it at once."""
        with self._lock:
            self._generation = generation
            is_cancelled = self.is_cancelled
        if is_cancelled:
            generation.cancel()
        self.changed()

    def cancel(self) -> None:
        """The client has gone, or the model is being unloaded."""
        with self._lock:
            self.is_cancelled = True
            generation = self._generation
        if generation is not None:
            generation.cancel()

    def deliver(self) -> bool:
        """Send what is due; True when that was the last response."""
        if self._acknowledgement is not None:
            self._stream.send(self._acknowledgement, is_final=False)
            self._acknowledgement = None
        if self._error is not None:
            return self._send_error(self._error)
        if self._answer is not None:
            self._stream.send(self._answer, is_final=True)
            return True
        return self._generation is not None and self._send_replies(self._generation)

    def poll_cancelled(self) -> None:
        """Ask Triton whether the client has gone."""
        if not self.is_cancelled and self._stream.is_cancelled():
            self.cancel()

    def abandon(self) -> None:
        """Sending failed: nobody reads what would still be made."""
        self.cancel()

    def end(self) -> None:
        """The model is being unloaded and nothing more comes."""
        self._send_error(EngineFailed("The model was unloaded."))

    def release(self) -> None:
        """Let go of Triton's sender at once: while one is left, Triton cannot unload the model."""
        self._stream.release()
        self._generation = None

    def _send_replies(self, generation: Generation) -> bool:
        try:
            replies = generation.take_replies()
        except RequestError as error:
            return self._send_error(error)
        last = len(replies) - 1 if generation.is_finished else None
        for position, reply in enumerate(replies):
            self._stream.send(reply, is_final=position == last)
        return last is not None

    def _send_error(self, error: RequestError) -> bool:
        self._stream.fail(error)
        return True
