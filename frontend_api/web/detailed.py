"""Completions that must be looked into: reasoning, tool calls, log probs, token ids, best_of.

Slower than a plain `Completion`, which has one template a choice: here every piece is an object.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from frontend_api.domain.answer import AnswerReader, AnswerRules
from frontend_api.domain.answer_pieces import Piece, merged
from frontend_api.domain.generation import Delta, Token, Usage
from frontend_api.web.chunks import CHAT, Completion, Json, Shape, usage_json
from frontend_api.web.details import Details
from frontend_api.web.log_probs import chat_log_probs, text_log_probs
from frontend_api.web.pieces import chat_message, piece_delta, text_of


class _Choice:
    """One choice while it is read."""

    def __init__(self, rules: AnswerRules) -> None:
        self.reader = AnswerReader(rules)
        self.pieces: list[Piece] = []
        self.tokens: list[Token] = []
        self.num_told = 0
        self.text_offset = 0

    def read(self, delta: Delta) -> Sequence[Piece]:
        if self.reader.is_over:
            return ()
        self.tokens.extend(delta.tokens)
        return self.reader.read(delta)

    def untold(self) -> Sequence[Token]:
        """Return the tokens that no chunk has told of, as told from now on."""
        tokens = self.tokens[self.num_told :]
        self.num_told = len(self.tokens)
        return tokens

    @property
    def score(self) -> float:
        """The mean log probability of its tokens."""
        return fmean(token.log_prob or 0.0 for token in self.tokens) if self.tokens else 0.0


class DetailedCompletion(Completion):
    """An answer of one endpoint, read with care; `usage` counts its prompt's tokens."""

    def __init__(
        self, shape: Shape, head: Json, num_choices: int, details: Details, usage: Usage
    ) -> None:
        super().__init__(shape, head, num_choices)
        self._details = details
        self._usage = usage
        self._read = [_Choice(details.rules) for _ in range(num_choices)]
        self._num_tokens = 0

    @property
    def is_sufficient(self) -> bool:  # type: ignore[override]
        """Whether every choice has ended, and one of them before the model did."""
        readers = [choice.reader for choice in self._read]
        return any(r.is_cut_short for r in readers) and all(r.is_over for r in readers)

    @property
    def reasoning_tokens(self) -> int:  # type: ignore[override]
        """Tokens spent on reasoning, in all choices."""
        return sum(choice.reader.reasoning_tokens for choice in self._read)

    def chunks(self, deltas: Iterable[Delta]) -> bytes:
        """Return the events of these deltas."""
        return b"".join(self._chunk(delta) for delta in deltas)

    def take(self, deltas: Iterable[Delta]) -> None:
        """Read these deltas for the whole."""
        for delta in deltas:
            choice = self._read[delta.sequence_index]
            choice.pieces.extend(choice.read(delta))

    def _chunk(self, delta: Delta) -> bytes:
        choice = self._read[delta.sequence_index]
        if choice.reader.is_over:
            return b""
        self._num_tokens += delta.num_output_tokens
        bodies = [self._body(piece) for piece in choice.read(delta)]
        reason = choice.reader.finish_reason
        if reason is not None:
            last: Json = {"delta": {}} if self._shape is CHAT else {"text": ""}
            bodies.append({**last, "finish_reason": reason})
        return b"".join(self._piece_event(delta.sequence_index, body) for body in bodies)

    def _body(self, piece: Piece) -> Json:
        if self._shape is CHAT:
            return {"delta": piece_delta(piece)}
        return {"text": text_of([piece])}

    def _piece_event(self, index: int, body: Json) -> bytes:
        choice = {"index": index, "finish_reason": None, **body, **self._extras(index)}
        if not self._details.has_continuous_usage:
            return self._event([choice])
        so_far = Usage(self._usage.prompt_tokens, self._num_tokens, self._usage.cached_tokens)
        so_far.reasoning_tokens = self.reasoning_tokens
        return self._event([choice], usage=usage_json(so_far))

    def _extras(self, index: int) -> Json:
        """Return what is told of the tokens since the last time: once, with their first piece."""
        choice, details = self._read[index], self._details
        tokens = choice.untold()
        extras: dict[str, object] = {"logprobs": None}
        if details.num_top_log_probs is not None and tokens:
            extras["logprobs"] = self._log_probs(choice, tokens)
        if details.has_token_ids:
            extras["token_ids"] = [token.id for token in tokens]
        return extras

    def _log_probs(self, choice: _Choice, tokens: Sequence[Token]) -> Json:
        if self._shape is CHAT:
            return chat_log_probs(tokens)
        told, choice.text_offset = text_log_probs(
            tokens, choice.text_offset, self._details.num_top_log_probs or 0
        )
        return told

    def _choices(self) -> Sequence[Json]:
        tried, kept = self._details.num_tried, self._details.num_kept
        order: list[int] = []
        for first in range(0, self._num_choices, tried):
            group = range(first, first + tried)
            order += self._best(group)[:kept]
        return [self._whole_choice(place, index) for place, index in enumerate(order)]

    def _best(self, group: Sequence[int]) -> Sequence[int]:
        if self._details.num_kept == self._details.num_tried:
            return group
        return sorted(group, key=lambda index: -self._read[index].score)

    def _whole_choice(self, place: int, index: int) -> Json:
        choice = self._read[index]
        pieces = merged(choice.pieces)
        body = (
            {"message": chat_message(pieces)} if self._shape is CHAT else {"text": text_of(pieces)}
        )
        reason = choice.reader.finish_reason or "stop"
        told = {"index": place, **body, **self._extras(index), "finish_reason": reason}
        prompt = index // self._details.num_tried
        ids = self._details.prompt_ids[prompt] if self._details.prompt_ids else None
        return told if ids is None else {**told, "prompt_token_ids": ids}


def open_completion(
    shape: Shape, head: Json, num_choices: int, details: Details, usage: Usage
) -> Completion:
    """Return the plain kind of completion where that is enough."""
    if details.is_plain:
        return Completion(shape, head, num_choices)
    return DetailedCompletion(shape, head, num_choices, details, usage)
