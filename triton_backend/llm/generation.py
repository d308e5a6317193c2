"""One generation: n sequences of one request, from the engine's deltas to replies.

Deltas arrive on the engine's thread and only wait here; the delivery thread takes them when it
comes round, so tokens are merged exactly when the sender is behind.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from .engines.protocol import Delta, Engine, SequenceHandle, SequenceParams
from .errors import RequestError
from .postprocessing import OutputSequence
from .reply import Reply


class Generation:
    """The sequences of one request; `on_change` is called when there is something to take."""

    def __init__(self, outputs: Sequence[OutputSequence], on_change: Callable[[], None]) -> None:
        self._outputs = outputs
        self._on_change = on_change
        self._lock = threading.Lock()
        self._inbox: deque[tuple[int, Delta]] = deque()
        self._handles: list[SequenceHandle] = []

    def start(self, engine: Engine, ids: Sequence[int], params: Sequence[SequenceParams]) -> None:
        """Submit all sequences; when one is refused, those before it are cancelled."""
        try:
            for index, one in enumerate(params):
                self._handles.append(engine.submit(ids, one, self._sink(index)))
        except RequestError:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Have the engine free whatever still runs."""
        for handle in self._handles:
            handle.cancel()

    @property
    def is_finished(self) -> bool:
        """Whether every sequence has given its last reply."""
        return all(output.is_finished for output in self._outputs)

    def take_replies(self) -> list[Reply]:
        """What the deltas so far amount to; RequestError when the engine failed."""
        touched: dict[int, None] = {}
        for index, delta in self._take_inbox():
            output = self._outputs[index]
            if output.is_finished:
                continue
            if delta.error is not None:
                self.cancel()
                raise delta.error
            output.take(delta)
            touched[index] = None
            if output.is_finished and not delta.is_last:
                self._handles[index].cancel()
        replies = (self._outputs[index].reply() for index in touched)
        return [reply for reply in replies if reply is not None]

    def _take_inbox(self) -> list[tuple[int, Delta]]:
        with self._lock:
            deltas = list(self._inbox)
            self._inbox.clear()
        return deltas

    def _sink(self, index: int) -> Callable[[Delta], None]:
        def put(delta: Delta) -> None:
            with self._lock:
                was_empty = not self._inbox
                self._inbox.append((index, delta))
            if was_empty:
                self._on_change()

        return put
