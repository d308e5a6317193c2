"""Begins answers in the original service's dialect, with a session or without."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from frontend_api.domain.errors import Conflict, NotFound
from frontend_api.domain.generation import ChatPrompt, GenerationRequest
from frontend_api.domain.messages import Said
from frontend_api.service.generations import Generations
from frontend_api.service.histories import MAX_TURNS, Histories
from frontend_api.service.orders import Order
from frontend_api.service.request_limits import RequestLimits
from frontend_api.service.responses import Responses
from frontend_api.web.original_texts import LiveTexts, StoredTexts, Texts
from frontend_api.web.original_wire import OriginalChatIn

# Who stops an answer and asks again at once may come before the stopped one is saved.
_ATTEMPTS: Final = 20
_PAUSE_S: Final = 0.1


class OriginalTurns:
    """Begins answers to the bodies of POST /chat/completions and WS /chat/ws."""

    def __init__(
        self,
        generations: Generations,
        responses: Responses,
        histories: Histories,
        limits: RequestLimits,
    ) -> None:
        """Use these."""
        self._limits = limits
        self._generations = generations
        self._responses = responses
        self._histories = histories

    async def begin(
        self, wire: OriginalChatIn, owner: str, request_id: str, patience_s: float
    ) -> Texts:
        """Return the answer once the model has accepted, or has made us wait for so long.

        The caller closes it. Raises the ServiceError of a refused request.
        """
        model = await self._generations.described(wire.model_name)
        asked = wire.to_domain(model, self._limits.defaulted)
        if wire.session_id is not None:
            order = await self._order(wire, asked, owner, wire.session_id)
            return await self._begin_stored(replace(order, request_id=request_id))
        self._limits.check_prompts([asked.prompt])
        generation = self._generations.begin([asked], request_id)
        try:
            await generation.accepted(patience_s)
        except BaseException:
            await generation.aclose()
            raise
        return LiveTexts(generation)

    async def _order(
        self, wire: OriginalChatIn, asked: GenerationRequest, owner: str, session_id: str
    ) -> Order:
        """Return the turn: all that was sent begins a new session, the prompt goes on in another.

        A system prompt that the session did not begin with holds for this turn.
        """
        turns = wire.turns()
        instructions: str | None = None
        try:
            kept = await self._histories.turns(owner, session_id)
        except NotFound:
            pass
        else:
            known = {turn.text for turn in kept if turn.is_system}
            system = next((turn.text for turn in turns if turn.role == "system"), None)
            instructions = None if system in known else system
            turns = [Said("user", wire.prompt)]
        return Order(
            owner=owner,
            request_id="",
            request=replace(asked, prompt=ChatPrompt(())),
            items=tuple(turns),
            instructions=instructions,
            session_id=session_id,
            creates_session=True,
            max_history=MAX_TURNS,
        )

    async def _begin_stored(self, order: Order) -> Texts:
        for _ in range(_ATTEMPTS):
            try:
                return StoredTexts(await self._responses.create(order), self._responses)
            except Conflict:
                await asyncio.sleep(_PAUSE_S)
        return StoredTexts(await self._responses.create(order), self._responses)
