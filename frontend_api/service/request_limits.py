"""What one request may bring, and what may be asked of a model: the same for every dialect.

What a request brings is checked before anything is begun. What its prompts count only the model
can tell, history included; an order that may drop old turns drops them for this limit, as it does
for the model's context. 0 is no limit.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from frontend_api.domain.errors import BadRequest, ContextTooLong
from frontend_api.domain.generation import ChatMessage, ChatPrompt, Prompt, TextPrompt
from frontend_api.domain.history import chat_messages
from frontend_api.domain.messages import Item
from frontend_api.service.admission import Work
from frontend_api.settings import LimitSettings

_TOO_LONG: Final = "The prompt has {num} characters; this server takes at most {limit}."
_TOO_MANY: Final = "The request has {num} messages; this server takes at most {limit}."
_TOO_MUCH: Final = (
    "max_tokens is too large: {num}. This server answers with at most {limit} tokens."
)
_TOO_FULL: Final = (
    "This server's maximum prompt length is {limit} tokens. However, your messages resulted in"
    " {num} tokens. Please reduce the length of the messages."
)


class RequestLimits:
    """The limits of [limits] on one request; a Gate."""

    def __init__(self, limits: LimitSettings) -> None:
        """Use these."""
        self._limits = limits

    def check_prompts(self, prompts: Iterable[Prompt]) -> None:
        """Refuse, with BadRequest, what is too long or too much; token ids count in `accepted`."""
        texts: list[str] = []
        num_messages = 0
        for prompt in prompts:
            match prompt:
                case TextPrompt(text):
                    texts.append(text)
                case ChatPrompt(messages, tools):
                    texts += [*_texts(messages), tools]
                    num_messages += len(messages)
        self._check(texts, num_messages)

    def check_items(self, items: Sequence[Item], instructions: str | None) -> None:
        """Refuse a turn as `check_prompts` does; what is stored already counts by its tokens."""
        self._check([*_texts(chat_messages(items)), instructions or ""], len(items))

    def defaulted(self, max_tokens: int) -> int:
        """Return the default of a dialect as far as it may be asked for."""
        limit = self._limits.max_response_tokens
        return min(max_tokens, limit) if limit else max_tokens

    @asynccontextmanager
    async def entered(self, work: Work) -> AsyncGenerator[None, None]:
        """Bound the answer; refuse, with BadRequest, who asks for a longer one."""
        limit = self._limits.max_response_tokens
        if limit and not work.is_own:
            if work.max_tokens is None:
                work.max_tokens = limit
            _refuse_over(limit, work.max_tokens, _TOO_MUCH, "max_tokens")
        yield

    async def accepted(self, work: Work) -> None:
        """Refuse, with ContextTooLong, prompts of too many tokens, all of a request together."""
        limit, num = self._limits.max_prompt_tokens, work.usage.prompt_tokens
        if limit and num > limit and not work.is_own:
            raise ContextTooLong(
                _TOO_FULL.format(num=num, limit=limit),
                param="messages",
                extra={"n_prompt_tokens": num, "n_ctx": limit},
            )

    def _check(self, texts: Iterable[str], num_messages: int) -> None:
        limits = self._limits
        _refuse_over(limits.max_messages_per_request, num_messages, _TOO_MANY, "messages")
        num_chars = sum(map(len, texts)) if limits.max_prompt_length else 0
        _refuse_over(limits.max_prompt_length, num_chars, _TOO_LONG, "messages")


def _texts(messages: Iterable[ChatMessage]) -> list[str]:
    texts: list[str] = []
    for message in messages:
        texts += [message.content or "", message.reasoning or ""]
        texts += [call.arguments for call in message.calls]
    return texts


def _refuse_over(limit: int, num: int, sentence: str, param: str) -> None:
    if limit and num > limit:
        raise BadRequest(
            sentence.format(num=num, limit=limit), param=param, code="request_limit_exceeded"
        )
