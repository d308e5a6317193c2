"""Applies the rules about what may be said to every generation, whatever dialect asked for it.

It stands before the model as a Generator of its own. A prompt is looked at before the model is
asked; an answer on its way back, before anybody sees it or stores it. A refused answer ends where
the match begins, with `content_filter`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

import structlog

from frontend_api.domain.errors import ContentRefused, ServiceError
from frontend_api.domain.generation import (
    Accepted,
    ChatMessage,
    ChatPrompt,
    Delta,
    GenerationRequest,
    Guide,
    Prompt,
    TextPrompt,
    Token,
    TokenPrompt,
)
from frontend_api.ports import Generator, Tokenizing
from frontend_api.service.blocklist import LOOK_BACK_CHARS, Rule, RuleSource, Span, decided

REFUSED: Final = "content_filter"
# Of a sequence that a failure ends: what is held back is decided then, but it has no reason.
_BROKEN: Final = "broken"
# A text this long is looked at in a thread, so that others need not wait for it.
_LONG_CHARS: Final = 16_384
_log = structlog.get_logger()


class Screened:
    """A Generator that keeps the rules."""

    def __init__(
        self,
        generator: Generator,
        tokenizing: Tokenizing,
        rules: RuleSource,
        on_refusal: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Use these; on_refusal: told of the rule that refused an answer."""
        self._generator = generator
        self._tokenizing = tokenizing
        self._rules = rules
        self._on_refusal = on_refusal

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Accepted | Delta, None]:
        """Generate as the Generator does; raises ContentRefused for a prompt as well."""
        rules = self._rules.current
        if not rules.for_prompts and not rules.for_answers:
            return self._generator.generate(request)
        return self._screened(request, rules.for_prompts, rules.for_answers)

    async def _screened(
        self, request: GenerationRequest, for_prompt: Sequence[Rule], for_answer: Sequence[Rule]
    ) -> AsyncGenerator[Accepted | Delta, None]:
        request = await self._checked(request, for_prompt)
        screens = [AnswerScreen(for_answer) for _ in range(request.n)]
        async with aclosing(self._generator.generate(request)) as events:
            try:
                async for event in events:
                    if isinstance(event, Accepted):
                        yield event
                    elif not (screen := screens[event.sequence_index]).is_over:
                        yield self._told(screen, event)
                    if all(each.refused_by is not None for each in screens):
                        return
            except ServiceError:
                for delta in self._given_back(screens):
                    yield delta
                raise

    def _given_back(self, screens: Sequence[AnswerScreen]) -> Sequence[Delta]:
        return [
            self._told(screen, Delta(index, "", finish_reason=_BROKEN))
            for index, screen in enumerate(screens)
            if not screen.is_over
        ]

    def _told(self, screen: AnswerScreen, delta: Delta) -> Delta:
        told = screen.push(delta)
        if screen.refused_by is not None:
            self._on_refusal(screen.refused_by.name)
        return told._replace(finish_reason=None) if told.finish_reason == _BROKEN else told

    async def _checked(
        self, request: GenerationRequest, rules: Sequence[Rule]
    ) -> GenerationRequest:
        prompt = request.prompt
        if not rules:
            return request
        if isinstance(prompt, TokenPrompt):
            text = await self._tokenizing.detokenize(request.model, prompt.ids)
            if await _masked(text, rules) != text:
                # The ids of the rest cannot be told from the text.
                raise ContentRefused
            return request
        guide = request.guide
        if guide is not None:
            guide = Guide(guide.kind, await _masked(guide.text, rules))
        return replace(request, prompt=await _masked_prompt(prompt, rules), guide=guide)


async def _masked_prompt(prompt: Prompt, rules: Sequence[Rule]) -> Prompt:
    match prompt:
        case TextPrompt(text):
            return TextPrompt(await _masked(text, rules))
        case ChatPrompt():
            return replace(
                prompt,
                messages=tuple([await _masked_message(each, rules) for each in prompt.messages]),
                tools=await _masked(prompt.tools, rules),
                template_kwargs=await _masked(prompt.template_kwargs, rules),
            )
    return prompt


async def _masked_message(message: ChatMessage, rules: Sequence[Rule]) -> ChatMessage:
    calls = [
        replace(call, arguments=await _masked(call.arguments, rules)) for call in message.calls
    ]
    return replace(
        message,
        content=message.content and await _masked(message.content, rules),
        name=message.name and await _masked(message.name, rules),
        reasoning=message.reasoning and await _masked(message.reasoning, rules),
        calls=tuple(calls),
    )


async def _masked(text: str, rules: Sequence[Rule]) -> str:
    """Return the text as the model may see it; raises ContentRefused."""
    if not text:
        return text
    if len(text) >= _LONG_CHARS:
        _, spans = await asyncio.to_thread(decided, text, 0, rules, is_whole=True)
    else:
        _, spans = decided(text, 0, rules, is_whole=True)
    refusing = next((span.rule for span in spans if span.rule.action == "refuse"), None)
    if refusing is not None:
        _log.info("prompt.refused", rule=refusing.name)
        raise ContentRefused
    return _shown(text, 0, len(text), spans)


def _shown(text: str, start: int, end: int, spans: Sequence[Span]) -> str:
    """Return that part of the text with the spans masked; one that overlaps another joins it."""
    parts: list[str] = []
    for span in spans:
        if span.start >= start:
            parts += [text[start : span.start], span.rule.mask]
        start = max(start, span.end)
    return "".join([*parts, text[start:end]])


@dataclass(frozen=True, slots=True)
class _Part:
    """The tokens of one delta, which go with its text; `end` counts the answer's characters."""

    end: int
    num_tokens: int
    tokens: tuple[Token, ...]


class AnswerScreen:
    """Lets one sequence's text through as far as it is decided.

    is_over: nothing more is wanted of the sequence. refused_by: the rule that ended it.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Begin before the first character."""
        self.is_over = False
        self.refused_by: Rule | None = None
        self._rules = rules
        # From some characters before the undecided part on, of which it holds `_start` and what
        # follows; `_base` characters were before it.
        self._text = ""
        self._start = 0
        self._base = 0
        self._parts: list[_Part] = []

    def push(self, delta: Delta) -> Delta:
        """Return what is decided now; all of it with the sequence's last, "" now and then."""
        self._text += delta.text
        end = self._base + len(self._text)
        self._parts.append(_Part(end, delta.num_output_tokens, delta.tokens))
        is_last = delta.finish_reason is not None
        limit, spans = decided(self._text, self._start, self._rules, is_whole=is_last)
        refusal = next((span for span in spans if span.rule.action == "refuse"), None)
        if refusal is not None:
            self.refused_by = refusal.rule
            limit, spans = refusal.start, [span for span in spans if span.start < refusal.start]
        self.is_over = is_last or refusal is not None
        text = _shown(self._text, self._start, limit, spans)
        num_tokens, tokens = self._released(limit, spans)
        self._forget(limit)
        return delta._replace(
            text=text,
            num_output_tokens=num_tokens,
            tokens=tokens,
            finish_reason=REFUSED if refusal is not None else delta.finish_reason,
        )

    def _released(self, limit: int, spans: Sequence[Span]) -> tuple[int, tuple[Token, ...]]:
        """Return the number of tokens that are out now, and those of which nothing is masked."""
        out = [each for each in self._parts if self.is_over or each.end <= self._base + limit]
        del self._parts[: len(out)]
        tokens: list[Token] = []
        begin = self._base + self._start
        for part in out:
            is_shown = part.end <= self._base + limit and not any(
                span.start < part.end - self._base and begin - self._base < span.end
                for span in spans
            )
            tokens += part.tokens if is_shown else ()
            begin = part.end
        return sum(part.num_tokens for part in out), tuple(tokens)

    def _forget(self, limit: int) -> None:
        gone = max(0, limit - LOOK_BACK_CHARS)
        self._text = self._text[gone:]
        self._base += gone
        self._start = limit - gone
