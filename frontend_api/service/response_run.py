"""One response while this worker makes it: from the model's deltas to a log of pieces."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import structlog

from frontend_api.domain.answer import AnswerReader
from frontend_api.domain.endings import ending_of
from frontend_api.domain.errors import InternalFault, RequestCancelled, ServiceError
from frontend_api.domain.generation import Delta
from frontend_api.domain.messages import Ending, Message, Run, RunStatus
from frontend_api.domain.stored import Checkpoint
from frontend_api.ports import Clock
from frontend_api.service.live import LiveGeneration
from frontend_api.service.run_log import RunLog

# The generation's own deadlines come first.
_FOREVER_S: Final = 86_400.0
_log = structlog.get_logger()


class ResponseRun:
    """Reads one generation to its end, whoever looks on.

    num_saved: how many pieces are in the store. is_discarded: nothing more of it is to be saved.
    """

    def __init__(
        self, message: Message, live: LiveGeneration, reader: AnswerReader, *, is_stored: bool
    ) -> None:
        """Own the generation from now on; `message` is the placeholder, its `run` is set."""
        if message.run is None:
            raise ValueError("a response has a run")
        self.log = RunLog(
            message, lambda: live.queue_position, lambda: live.usage.completion_tokens
        )
        self.is_stored = is_stored
        self.is_discarded = False
        self.num_saved = 0
        self._placeholder: Run = message.run
        self._live = live
        self._reader = reader

    @property
    def message(self) -> Message:
        """The response as far as it is."""
        if self.log.is_ended:
            return self.log.message
        run = replace(
            self._placeholder, status=status_of(self._live), pieces=tuple(self.log.pieces)
        )
        return replace(self.log.message, run=run)

    async def read(self, clock: Clock) -> Ending:
        """Log the pieces as they come; returns how it ended, and never raises a ServiceError."""
        error: ServiceError | None = None
        try:
            await self._read_all()
        except ServiceError as failure:
            error = failure
            self._give_back()
        except Exception:
            _log.exception("response.fault")
            error = InternalFault("The server had an error. Please try again.")
        finally:
            await self._live.aclose()
        usage = replace(self._live.usage, reasoning_tokens=self._reader.reasoning_tokens)
        ending = ending_of(self._reader.finish_reason, error, clock.now())
        return replace(ending, usage=usage, timing=self._live.timing)

    def stop(self, error: ServiceError) -> None:
        """End it because of this; what it has said stays."""
        self._live.fail(error)

    def discard(self) -> None:
        """Stop it and save nothing more: what it belongs to is deleted."""
        self.is_discarded = True
        self.stop(RequestCancelled("The response was deleted."))

    def unsaved(self, lease_until: float, max_pieces: int | None = None) -> Checkpoint:
        """Return what is not in the store yet, the oldest first, up to so many pieces."""
        message, first = self.log.message, self.num_saved
        last = None if max_pieces is None else first + max_pieces
        return Checkpoint(
            owner=message.owner,
            message_id=message.id,
            worker=self._placeholder.worker,
            first=first,
            pieces=tuple(self.log.pieces[first:last]),
            lease_until=lease_until,
        )

    def ended(self, ending: Ending) -> Message:
        """Return the response as this ending leaves it."""
        run = replace(
            self._placeholder, status=ending.status, pieces=tuple(self.log.pieces), ending=ending
        )
        return replace(self.log.message, run=run)

    async def _read_all(self) -> None:
        while (deltas := await self._live.take(_FOREVER_S)) is not None:
            self.log.add([piece for delta in deltas for piece in self._reader.read(delta)])
            if self._reader.is_cut_short:
                self._live.suffice()

    def _give_back(self) -> None:
        """Log the text that the parsers hold back because more of it was to come."""
        self.log.add(self._reader.read(Delta(0, "", finish_reason="cancelled")))


def status_of(live: LiveGeneration) -> RunStatus:
    """Return how far a running generation is: queued until the model has taken it."""
    is_waiting = live.timing.queue_s is None and not live.is_started
    return "queued" if is_waiting else "in_progress"
