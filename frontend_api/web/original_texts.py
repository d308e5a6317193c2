"""An answer as raw text, in the original service's dialect, wherever it comes from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Protocol

from frontend_api.domain.answer_pieces import Content, Piece, Reasoning
from frontend_api.domain.errors import ServiceError
from frontend_api.domain.failures import failure_of
from frontend_api.domain.generation import Usage
from frontend_api.service.feeds import Feed
from frontend_api.service.live import LiveGeneration
from frontend_api.service.responses import Responses
from frontend_api.web.answers import log_fields


class Texts(Protocol):
    """An answer while it is made."""

    @property
    def usage(self) -> Usage | None:
        """The tokens so far; None where that is not known."""
        ...

    @property
    def queue_position(self) -> int | None:
        """Its place in the line before the model, 1 is next; None when it is not in line."""
        ...

    def log_fields(self) -> Mapping[str, object]:
        """Return what the log says of it."""
        ...

    async def take(self, patience_s: float) -> str | None:
        """Return the next text; "" after `patience_s` of none, None at the end.

        Raises the ServiceError that ended it, after all its text was taken.
        """
        ...

    async def aclose(self) -> None:
        """Stop it, unless it has ended."""
        ...


class LiveTexts:
    """The answer of a generation that belongs to its request."""

    def __init__(self, generation: LiveGeneration) -> None:
        """Own the generation from now on."""
        self._generation = generation

    @property
    def usage(self) -> Usage | None:
        """See Texts."""
        return self._generation.usage

    @property
    def queue_position(self) -> int | None:
        """See Texts."""
        return self._generation.queue_position

    def log_fields(self) -> Mapping[str, object]:
        """See Texts."""
        return log_fields(self._generation.model, self._generation)

    async def take(self, patience_s: float) -> str | None:
        """See Texts."""
        deltas = await self._generation.take(patience_s)
        return None if deltas is None else "".join(delta.text for delta in deltas)

    async def aclose(self) -> None:
        """See Texts."""
        await self._generation.aclose()


class StoredTexts:
    """The answer in a session; thoughts are in tags, as the model wrote them.

    This dialect can neither return to an answer nor cancel one: who stops it closes the
    connection. So it ends with its connection, and what was said until then stays.
    """

    def __init__(self, feed: Feed, responses: Responses) -> None:
        """Own the feed from now on."""
        self._feed = feed
        self._responses = responses
        self._is_over = False
        self._is_thinking = False

    @property
    def usage(self) -> Usage | None:
        """See Texts."""
        run = self._feed.message.run
        return run.ending.usage if run is not None and run.ending is not None else None

    @property
    def queue_position(self) -> int | None:
        """See Texts."""
        return self._feed.queue_position

    def log_fields(self) -> Mapping[str, object]:
        """See Texts."""
        run, usage = self._feed.message.run, self.usage or Usage()
        return {
            "model": "" if run is None else run.model,
            "generation": "" if run is None else run.status,
            "response_id": self._feed.message.id,
            "queue_ms": None if run is None else run.queue_ms,
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
        }

    async def take(self, patience_s: float) -> str | None:
        """See Texts."""
        pieces = await self._feed.take(patience_s)
        if pieces is not None:
            return "".join(self._texts(pieces))
        if self._is_over:
            return None
        self._is_over = True
        run = self._feed.message.run
        ending = None if run is None else run.ending
        # Whoever cancels an answer, or deletes its session, knows why it ends.
        if ending is not None and ending.status != "cancelled":
            failure = failure_of(ending)
            if failure is not None:
                raise failure
        return None

    async def aclose(self) -> None:
        """See Texts."""
        await self._feed.aclose()
        if not self._is_over:
            # It may be gone with its session, or the store may be lost: then it ends by itself.
            with contextlib.suppress(ServiceError):
                message = self._feed.message
                await self._responses.cancel(message.owner, message.id)

    def _texts(self, pieces: Iterable[Piece]) -> Iterable[str]:
        for piece in pieces:
            match piece:
                case Reasoning(text):
                    yield text if self._is_thinking else f"<think>{text}"
                    self._is_thinking = True
                case Content(text):
                    yield f"</think>{text}" if self._is_thinking else text
                    self._is_thinking = False
                case _:
                    pass
