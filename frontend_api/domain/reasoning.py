"""`<think> … </think>` at the start of an answer, told from the answer itself, delta by delta.

Rules:
- The block is looked for only before the answer's first character, so an answer may write about
  the tags; several blocks in a row are all reasoning, and `</think>` on its own there is dropped.
- The first `</think>` closes the block, however many `<think>` were inside: models name the tag
  while they think, and counting would swallow the answer. What follows is content, tags and all.
- White space beside a tag belongs to the tag (Qwen3 writes `</think>\n\n`; DeepSeek's API delivers
  neither): it is dropped. All other text is delivered, an unclosed block's too, as reasoning.
"""

from typing import Final

from frontend_api.domain.answer_pieces import Content, Reasoning, ReasoningPiece
from frontend_api.domain.marked_text import (
    SPACE,
    Step,
    SteppedParser,
    may_begin,
    partial_marker,
)

OPEN: Final = "<think>"
CLOSE: Final = "</think>"


class ReasoningParser(SteppedParser[ReasoningPiece]):
    """Tells reasoning from content in text that comes in deltas."""

    def __init__(self, *, starts_inside: bool = False) -> None:
        """starts_inside: the chat template has already opened the block in the prompt."""
        super().__init__(self._block_start if starts_inside else self._answer_start)
        self._is_after_tag = starts_inside

    def finish(self) -> list[ReasoningPiece]:
        """Return what was held back; call once, when the text has ended."""
        gap = "" if self._is_after_tag else self._take_gap()
        self._deliver(gap + self._held)
        return self._take()

    def _answer_start(self, text: str, start: int) -> int:
        at = self._past_space(text, start)
        for tag, next_step in ((OPEN, self._block_start), (CLOSE, self._answer_start)):
            if text.startswith(tag, at):
                return self._past_tag(next_step, at + len(tag))
        if may_begin(text, at, OPEN, CLOSE):
            return self._hold(text, at)
        return self._begin_text(self._content, at)

    def _block_start(self, text: str, start: int) -> int:
        at = self._past_space(text, start)
        if text.startswith(OPEN, at):
            return self._past_tag(self._block_start, at + len(OPEN))
        if may_begin(text, at, OPEN):
            return self._hold(text, at)
        return self._begin_text(self._reasoning, at)

    def _reasoning(self, text: str, start: int) -> int:
        close = text.find(CLOSE, start)
        end = close if close >= 0 else partial_marker(text, start, CLOSE)
        thought = text[start:end].rstrip(SPACE)
        if thought:
            self._out.append(Reasoning(self._take_gap() + thought))
        self._gap.append(text[start + len(thought) : end])
        if close < 0:
            return self._hold(text, end)
        return self._past_tag(self._answer_start, close + len(CLOSE))

    def _content(self, text: str, start: int) -> int:
        self._out.append(Content(self._take_gap() + text[start:]))
        return len(text)

    def _past_tag(self, next_step: Step, end: int) -> int:
        self._gap.clear()
        self._is_after_tag = True
        self._step = next_step
        return end

    def _begin_text(self, step: Step, start: int) -> int:
        if self._is_after_tag:
            self._gap.clear()
        self._is_after_tag = False
        self._step = step
        return start

    def _deliver(self, text: str) -> None:
        if text:
            is_thought = self._step in (self._block_start, self._reasoning)
            self._out.append(Reasoning(text) if is_thought else Content(text))
