"""From one choice's deltas to its answer: reasoning, content, tool calls, and why it ended.

How it works: text passes the reasoning parser first; what is content then passes the parser of
the tool calls. Both are left out where they cannot find anything: then all text is content.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from frontend_api.domain.answer_pieces import (
    CallsEnded,
    CallStarted,
    Content,
    Piece,
    Reasoning,
    merged,
)
from frontend_api.domain.generation import ChatPrompt, Delta, GenerationRequest, Token, ToolUse
from frontend_api.domain.model import ServedModel
from frontend_api.domain.reasoning import ReasoningParser
from frontend_api.domain.tool_calls import (
    CallRules,
    ToolCallParser,
    open_forced_parser,
    open_parser,
)
from frontend_api.domain.tool_calls_base import new_call_id


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """What to look for in a model's text; by default nothing.

    starts_inside: the prompt has opened the reasoning already.
    """

    has_reasoning: bool = False
    tool_format: str | None = None
    tool_use: ToolUse | None = None
    new_call_id: Callable[[], str] = new_call_id
    starts_inside: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the text is the answer as it is."""
        return not self.has_reasoning and self.tool_use is None


def answer_rules(request: GenerationRequest, model: ServedModel) -> AnswerRules:
    """Return what to look for in the answers to this request of this model."""
    if not isinstance(request.prompt, ChatPrompt):
        return AnswerRules()
    return AnswerRules(
        # A guided answer begins with its first token: there is no room to think.
        has_reasoning=model.reasoning_format is not None and request.guide is None,
        tool_format=model.tool_format,
        tool_use=request.tool_use,
        starts_inside=_enable_thinking(request.prompt) in model.opens_thinking,
    )


def needing_tokens(request: GenerationRequest, model: ServedModel) -> GenerationRequest:
    """Return the request, with tokens one by one where reasoning must be counted."""
    if answer_rules(request, model).has_reasoning:
        return replace(request, needs_tokens=True)
    return request


class AnswerReader:
    """Reads one choice.

    is_cut_short: whether it ended at a second call that was not wanted.
    finish_reason: set once the choice has ended, as OpenAI says it.
    reasoning_tokens: those up to the end of the reasoning, tags and white space included; a token
    that holds the end of it and the first of the content counts if it begins before the content.
    """

    def __init__(self, rules: AnswerRules) -> None:
        self.finish_reason: str | None = None
        self.reasoning_tokens = 0
        self.is_cut_short = False
        self._use = rules.tool_use
        self._reasoning = (
            ReasoningParser(starts_inside=rules.starts_inside) if rules.has_reasoning else None
        )
        self._calls = _open_calls(rules)
        self._num_calls = 0
        self._has_reasoned = False
        self._has_content = False
        self._thinking_tokens = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more is wanted of this choice."""
        return self.finish_reason is not None

    def read(self, delta: Delta) -> Sequence[Piece]:
        """Return the pieces this delta completes; none after the end."""
        if self.is_over:
            return ()
        thoughts, said = self._split(delta)
        is_last = delta.finish_reason is not None
        pieces = merged([*thoughts, *self._parse(said, is_last=is_last)])
        kept = self._until_second_call(pieces)
        if len(kept) < len(pieces):
            self.is_cut_short = True
            self.finish_reason = "tool_calls"
        elif delta.finish_reason is not None:
            self.finish_reason = self._ending(delta.finish_reason)
        return [piece for piece in kept if not isinstance(piece, CallsEnded)]

    def _split(self, delta: Delta) -> tuple[list[Piece], str]:
        """Return what was thought and what is content."""
        if self._reasoning is None:
            return [], delta.text
        pieces = self._reasoning.push(delta.text)
        if delta.finish_reason is not None:
            pieces += self._reasoning.finish()
        thoughts: list[Piece] = [piece for piece in pieces if isinstance(piece, Reasoning)]
        said = "".join(piece.text for piece in pieces if isinstance(piece, Content))
        self._count(delta, said, bool(thoughts))
        return thoughts, said

    def _count(self, delta: Delta, said: str, is_thought: bool) -> None:
        self._has_reasoned = self._has_reasoned or is_thought
        if not self._has_content:
            num_bytes = len(delta.text.encode()) - len(said.encode())
            self._thinking_tokens += (
                _tokens_before(delta.tokens, num_bytes) if said else delta.num_output_tokens
            )
        self._has_content = self._has_content or bool(said)
        self.reasoning_tokens = self._thinking_tokens if self._has_reasoned else 0

    def _parse(self, text: str, *, is_last: bool) -> Iterable[Piece]:
        if self._calls is None:
            return [Content(text)] if text else []
        pieces = self._calls.push(text)
        return [*pieces, *self._calls.finish()] if is_last else pieces

    def _until_second_call(self, pieces: list[Piece]) -> list[Piece]:
        for at, piece in enumerate(pieces):
            if isinstance(piece, CallStarted):
                self._num_calls += 1
                if self._num_calls > 1 and self._use is not None and not self._use.is_parallel:
                    return pieces[:at]
        return pieces

    def _ending(self, reason: str) -> str:
        is_named = self._use is not None and self._use.named is not None
        if reason == "stop" and self._num_calls and not is_named:
            return "tool_calls"
        return reason


def _enable_thinking(prompt: ChatPrompt) -> object:
    """Return what the client sets this variable of the template to; None when it does not."""
    if not prompt.template_kwargs:
        return None
    return json.loads(prompt.template_kwargs).get("enable_thinking")


def _open_calls(rules: AnswerRules) -> ToolCallParser | None:
    use = rules.tool_use
    if use is None:
        return None
    call_rules = CallRules(rules.new_call_id, use.names)
    if use.is_forced:
        return open_forced_parser(call_rules, use.named)
    return open_parser(rules.tool_format or "", call_rules)


def _tokens_before(tokens: Sequence[Token], num_bytes: int) -> int:
    """Return how many tokens begin within the first `num_bytes` bytes of the text."""
    seen = 0
    for count, token in enumerate(tokens):
        if seen >= num_bytes:
            return count
        seen += len(token.text)
    return len(tokens)
