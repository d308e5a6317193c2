"""Applies the rules about what may be said to every generation, whatever dialect asked for it.

It stands before the model as a Generator of its own. A prompt is looked at before the model is
asked; an answer on its way back, before anybody sees it or stores it. A refused answer ends where
the match begins, with `content_filter`; so does one that a rule goes astray with.

How it works: rules that are quick with an answer, as almost all are, look at it on the event
loop; where they are not, a thread does it, so that one answer's rules hold up no other answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias, TypeVar

import structlog

from frontend_api.domain.errors import ContentRefused, RulesFailed, ServiceError
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
from frontend_api.service.blocklist import (
    LOOK_BACK_CHARS,
    Patience,
    Rule,
    RuleSource,
    Span,
    decided,
)

REFUSED: Final = "content_filter"
# Of a sequence that a failure ends: what is held back is decided then, but it has no reason.
_BROKEN: Final = "broken"
# Of processor time for all texts of a prompt, or a piece of an answer: each search alone may be
# quick, and they many.
_LIMIT_S: Final = 1.0
# What a piece of an answer may take of the event loop's time; one rule takes some 0.03 ms.
_ON_LOOP_S: Final = 0.001
# At once, of all; the database needs some too.
_MAX_THREADS: Final = 2
_Decided: TypeAlias = tuple[int, Sequence[Span]]
_Result = TypeVar("_Result")
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
        self._threads = asyncio.Semaphore(_MAX_THREADS)

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
        screens = [AnswerScreen(for_answer, self._in_thread) for _ in range(request.n)]
        async with aclosing(self._generator.generate(request)) as events:
            try:
                async for event in events:
                    if isinstance(event, Accepted):
                        yield event
                    elif not (screen := screens[event.sequence_index]).is_over:
                        yield await self._told(screen, event)
                    if all(each.refused_by is not None for each in screens):
                        return
            except ServiceError:
                for delta in await self._given_back(screens):
                    yield delta
                raise

    async def _given_back(self, screens: Sequence[AnswerScreen]) -> Sequence[Delta]:
        given = [
            await self._told(screen, Delta(index, "", finish_reason=_BROKEN))
            for index, screen in enumerate(screens)
            if not screen.is_over
        ]
        # An empty one would make an answer of a request that the model has refused.
        return [delta for delta in given if delta.text or delta.num_output_tokens]

    async def _told(self, screen: AnswerScreen, delta: Delta) -> Delta:
        told = await screen.push(delta)
        if screen.refused_by is not None:
            self._on_refusal(screen.refused_by)
        return told._replace(finish_reason=None) if told.finish_reason == _BROKEN else told

    async def _checked(
        self, request: GenerationRequest, rules: Sequence[Rule]
    ) -> GenerationRequest:
        if not rules:
            return request
        text = ""
        if isinstance(request.prompt, TokenPrompt):
            text = await self._tokenizing.detokenize(request.model, request.prompt.ids)
        # In a thread: others need not wait for a long prompt, or one that rules are slow with.
        return await self._in_thread(lambda: _PromptScreen(rules).checked(request, text))

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        async with self._threads:
            return await asyncio.to_thread(work)


class _PromptScreen:
    """Masks what the model may not see in all texts of one prompt; made and used by one thread."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._patience = Patience(_LIMIT_S)

    def checked(self, request: GenerationRequest, token_text: str) -> GenerationRequest:
        """Return the request as the model may see it; raises ContentRefused."""
        if self._masked(token_text) != token_text:
            # The ids of the rest cannot be told from the text.
            raise ContentRefused
        guide = request.guide
        if guide is not None:
            guide = Guide(guide.kind, self._masked(guide.text))
        return replace(request, prompt=self._masked_prompt(request.prompt), guide=guide)

    def _masked_prompt(self, prompt: Prompt) -> Prompt:
        match prompt:
            case TextPrompt(text):
                return TextPrompt(self._masked(text))
            case ChatPrompt():
                return replace(
                    prompt,
                    messages=tuple([self._masked_message(each) for each in prompt.messages]),
                    tools=self._masked(prompt.tools),
                    template_kwargs=self._masked(prompt.template_kwargs),
                )
        return prompt

    def _masked_message(self, message: ChatMessage) -> ChatMessage:
        calls = [
            replace(call, arguments=self._masked_json(call.arguments)) for call in message.calls
        ]
        return replace(
            message,
            content=message.content and self._masked(message.content),
            name=message.name and self._masked(message.name),
            reasoning=message.reasoning and self._masked(message.reasoning),
            calls=tuple(calls),
        )

    def _masked_json(self, text: str) -> str:
        """Mask a client's JSON, in which any letter may be written as a number: `\\u0061`."""
        plain = _unescaped(text)
        masked = self._masked(plain)
        return text if masked == plain else masked

    def _masked(self, text: str) -> str:
        if not text:
            return text
        try:
            _, spans = decided(text, 0, self._rules, self._patience, is_whole=True)
        except RulesFailed as failure:
            _log.error("prompt.rule_astray", rule=failure.rule)
            raise
        refusing = next((span.rule for span in spans if span.rule.action == "refuse"), None)
        if refusing is not None:
            _log.info("prompt.refused", rule=refusing.name)
            raise ContentRefused
        return _shown(text, 0, len(text), spans)


def _unescaped(text: str) -> str:
    """Return JSON as the backend will read it; what is none stays as it is."""
    try:
        plain = json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
    # Half of a pair is no character: nobody could send it on.
    return plain.encode("utf-8", "replace").decode()


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

    is_over: nothing more is wanted of the sequence. refused_by: the name of the rule that ended it.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        in_thread: Callable[[Callable[[], _Decided]], Awaitable[_Decided]] = asyncio.to_thread,
    ) -> None:
        """Begin before the first character; what is slow is done `in_thread`."""
        self._in_thread = in_thread
        self.is_over = False
        self.refused_by: str | None = None
        self._rules = rules
        self._is_slow = False
        # From some characters before the undecided part on, of which it holds `_start` and what
        # follows; `_base` characters were before it.
        self._text = ""
        self._start = 0
        self._base = 0
        self._parts: list[_Part] = []

    async def push(self, delta: Delta) -> Delta:
        """Return what is decided now; all of it with the sequence's last, "" now and then."""
        self._text += delta.text
        end = self._base + len(self._text)
        self._parts.append(_Part(end, delta.num_output_tokens, delta.tokens))
        is_last = delta.finish_reason is not None
        limit, spans = await self._shown_up_to(is_last=is_last)
        self.is_over = is_last or self.refused_by is not None
        text = _shown(self._text, self._start, limit, spans)
        num_tokens, tokens = self._released(limit, spans)
        self._forget(limit)
        return delta._replace(
            text=text,
            num_output_tokens=num_tokens,
            tokens=tokens,
            finish_reason=delta.finish_reason if self.refused_by is None else REFUSED,
        )

    async def _shown_up_to(self, *, is_last: bool) -> _Decided:
        """Return how far the text may be told, and what is blocked before; heeds a refusal."""
        try:
            limit, spans = await self._decided(is_last=is_last)
        except RulesFailed as failure:
            _log.error("answer.rule_astray", rule=failure.rule)
            self.refused_by = failure.rule
            return self._start, ()
        refusal = next((span for span in spans if span.rule.action == "refuse"), None)
        if refusal is None:
            return limit, spans
        self.refused_by = refusal.rule.name
        return refusal.start, [span for span in spans if span.start < refusal.start]

    async def _decided(self, *, is_last: bool) -> _Decided:
        decide = partial(decided, self._text, self._start, self._rules, is_whole=is_last)
        if not self._is_slow:
            try:
                return decide(Patience(_ON_LOOP_S))
            except RulesFailed:
                # With what comes it will hardly be quicker.
                self._is_slow = True
        return await self._in_thread(lambda: decide(Patience(_LIMIT_S)))

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
