"""Titles that the model writes when it has nothing else to do.

A session gets the first words of its user at once. After its first answers it waits here until
this worker has generated nothing for a while; then one short generation names it. A user who
comes meanwhile goes first: the title is given up and tried again later. What does not come out as
a title is left alone, and a title that a user gave is never touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

import structlog

from frontend_api.domain.answer import AnswerReader, answer_rules
from frontend_api.domain.answer_pieces import Content
from frontend_api.domain.errors import ServiceError
from frontend_api.domain.generation import ChatMessage, ChatPrompt, GenerationRequest
from frontend_api.domain.messages import Message, Said
from frontend_api.domain.sessions import SessionChanges
from frontend_api.domain.titles import as_title
from frontend_api.ports import Clock, SessionStore
from frontend_api.service.generations import Generations
from frontend_api.telemetry import Telemetry

_MAX_TOKENS: Final = 12
# The generation's own deadline comes first.
_FOREVER_S: Final = 86_400.0
_MAX_WAITING: Final = 1000
_MAX_ASKED_CHARS: Final = 500
_SPOKEN: Final = frozenset({"completed", "incomplete"})
_ASK: Final = "Write a title of two to six words for what begins with this. Answer with it only."
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of silence before a title is generated, and between two looks."""

    idle_s: float = 3.0
    look_s: float = 0.5


class Titles:
    """The sessions of this worker that wait for a title."""

    def __init__(
        self,
        generations: Generations,
        store: SessionStore,
        clock: Clock,
        telemetry: Telemetry,
        *,
        is_enabled: bool = True,
        pace: Pace | None = None,
    ) -> None:
        """Use these; nothing happens before `running`."""
        self._generations = generations
        self._store = store
        self._clock = clock
        self._telemetry = telemetry
        self._is_enabled = is_enabled
        self._pace = pace or Pace()
        self._waiting: dict[tuple[str, str], str] = {}
        self._has_waiting = asyncio.Event()

    def answered(self, message: Message) -> None:
        """Note that a session has a new answer: it may want a title."""
        if not self._is_enabled or message.run is None or message.run.status not in _SPOKEN:
            return
        if len(self._waiting) < _MAX_WAITING:
            self._waiting[message.owner, message.session_id] = message.run.model
            self._has_waiting.set()
            self._telemetry.titles_wait(len(self._waiting))

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Write titles while the block runs."""
        task = asyncio.create_task(self._write_all())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _write_all(self) -> None:
        while True:
            await self._has_waiting.wait()
            await self._until_idle()
            (owner, session_id), model = self._waiting.popitem()
            try:
                if not await self._write(owner, session_id, model):
                    self._waiting.setdefault((owner, session_id), model)
            except ServiceError as error:
                # The words stay; the session's next answer brings it here again.
                _log.info("title.not_written", code=error.code)
            except Exception:
                _log.exception("title.fault")
            if not self._waiting:
                self._has_waiting.clear()
            self._telemetry.titles_wait(len(self._waiting))

    async def _until_idle(self) -> None:
        """Return after `idle_s` in which nothing was generated here."""
        loop = asyncio.get_running_loop()
        seen, since = self._generations.num_begun, loop.time()
        while loop.time() - since < self._pace.idle_s:
            await asyncio.sleep(self._pace.look_s)
            if not self._generations.is_idle or self._generations.num_begun != seen:
                seen, since = self._generations.num_begun, loop.time()

    async def _write(self, owner: str, session_id: str, model: str) -> bool:
        """Return whether the session is done with; False when somebody came in between."""
        if not await self._wants_title(owner, session_id):
            return True
        asked = await self._first_words(owner, session_id)
        title = await self._generated(asked, model) if asked else ""
        if title is None:
            return False
        if title:
            changes = SessionChanges(title=title, title_source="model", seen_title_source="words")
            await self._store.change_session(owner, session_id, changes)
        return True

    async def _wants_title(self, owner: str, session_id: str) -> bool:
        session = await self._store.session(owner, session_id, self._clock.now())
        return session is not None and session.title_source == "words"

    async def _first_words(self, owner: str, session_id: str) -> str:
        """Return the beginning of what the session's user said first."""
        for message in await self._store.messages(owner, session_id):
            for _, item in message.items:
                if isinstance(item, Said) and item.role == "user" and item.text.strip():
                    return item.text[:_MAX_ASKED_CHARS]
        return ""

    async def _generated(self, asked: str, model: str) -> str | None:
        """Return what the model made of it, "" for no title; None when a user came in between."""
        if not self._generations.is_idle:
            return None
        request = _title_request(asked, model)
        reader = AnswerReader(answer_rules(request, self._generations.served(model)))
        text = ""
        async with aclosing(self._generations.begin([request], gives_way=True)) as generation:
            while (deltas := await generation.take(_FOREVER_S)) is not None:
                for delta in deltas:
                    pieces = reader.read(delta)
                    text += "".join(piece.text for piece in pieces if isinstance(piece, Content))
        if reader.finish_reason is None:
            return None
        return as_title(text) if reader.finish_reason == "stop" else ""


def _title_request(asked: str, model: str) -> GenerationRequest:
    prompt = ChatPrompt(
        messages=(ChatMessage("user", f"{_ASK}\n\n{asked}"),),
        # The name that templates look for; a title is not worth thinking.
        template_kwargs='{"enable_thinking": false}',
    )
    request = GenerationRequest(model=model, prompt=prompt, max_tokens=_MAX_TOKENS, temperature=0.0)
    return replace(request, stream=True)
