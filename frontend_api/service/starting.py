"""Starts the model on a conversation; what does not fit into its context is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from frontend_api.domain.answer import AnswerReader, answer_rules, needing_tokens
from frontend_api.domain.errors import ContextTooLong, ServiceError
from frontend_api.domain.generation import ChatPrompt, GenerationRequest
from frontend_api.domain.history import Conversation
from frontend_api.ports import Tokenizing
from frontend_api.service.generations import Generations
from frontend_api.service.live import LiveGeneration
from frontend_api.service.orders import Order

# What a shortened history leaves of the context for an answer without a limit of its own: a
# quarter, so that the next turns do not each have to be shortened again.
_ANSWER_SHARE: Final = 4


@dataclass(frozen=True, slots=True)
class Started:
    """A generation that the model has accepted, or has not yet refused."""

    live: LiveGeneration
    reader: AnswerReader
    num_dropped: int


class Starting:
    """Begins the generation of an order."""

    def __init__(self, generations: Generations, tokenizing: Tokenizing) -> None:
        """Use these."""
        self._generations = generations
        self._tokenizing = tokenizing

    async def start(self, order: Order, conversation: Conversation, patience_s: float) -> Started:
        """Wait until the model accepts, or has made us wait for so long; the caller closes it.

        Raises the ServiceError of a refused request; nothing runs then.
        """
        try:
            return await self._attempt(order, conversation, 0, patience_s)
        except ContextTooLong as refusal:
            cuts = conversation.cuts() if order.may_drop else ()
            if not cuts:
                raise
            cut = await self._fitting_cut(order.request, conversation, cuts, refusal)
        try:
            return await self._attempt(order, conversation, cut, patience_s)
        except ContextTooLong:
            if cut == cuts[-1]:
                raise
        return await self._attempt(order, conversation, cuts[-1], patience_s)

    async def _attempt(
        self, order: Order, conversation: Conversation, cut: int, patience_s: float
    ) -> Started:
        model = await self._generations.described(order.request.model)
        # One answer, told as it comes, whatever the client reads: its checkpoints need the pieces.
        request = replace(_with_history(order.request, conversation, cut), stream=True, n=1)
        request = needing_tokens(request, model)
        live = self._generations.begin([request], order.request_id)
        try:
            await live.accepted(patience_s)
        except BaseException:
            await live.aclose()
            raise
        reader = AnswerReader(answer_rules(request, model))
        return Started(live, reader, conversation.num_dropped(cut))

    async def _fitting_cut(
        self,
        request: GenerationRequest,
        conversation: Conversation,
        cuts: Sequence[int],
        refusal: ContextTooLong,
    ) -> int:
        """Return the smallest cut after which there is room; the largest if there is none."""
        context = refusal.extra.get("n_ctx") or self._context_of(request.model)
        if not context:
            raise refusal
        room = context - (request.max_tokens or context // _ANSWER_SHARE)
        low, high = 0, len(cuts) - 1
        while low < high:
            middle = (low + high) // 2
            if await self._size(request, conversation, cuts[middle], refusal) <= room:
                high = middle
            else:
                low = middle + 1
        return cuts[low]

    async def _size(
        self,
        request: GenerationRequest,
        conversation: Conversation,
        cut: int,
        refusal: ContextTooLong,
    ) -> int:
        """Return the tokens of what is left; a model that cannot count stands by its refusal."""
        prompt = _with_history(request, conversation, cut).prompt
        try:
            return len(await self._tokenizing.tokenize(request.model, prompt))
        except ServiceError:
            raise refusal from None

    def _context_of(self, model: str) -> int | None:
        return self._generations.served(model).context_length


def _with_history(
    request: GenerationRequest, conversation: Conversation, cut: int
) -> GenerationRequest:
    prompt = request.prompt
    if not isinstance(prompt, ChatPrompt):
        raise TypeError("an order's prompt is a conversation")
    return replace(request, prompt=replace(prompt, messages=conversation.without(cut)))
