"""What a client wants of an answer beyond its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from frontend_api.domain.answer import AnswerRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What is asked for beyond text.

    num_top_log_probs: None without log probs. prompt_ids: of each prompt that was sent as tokens,
    with `has_token_ids`. num_kept: the best choices of each prompt that the client gets.
    """

    rules: AnswerRules = field(default_factory=AnswerRules)
    num_top_log_probs: int | None = None
    has_token_ids: bool = False
    has_continuous_usage: bool = False
    num_tried: int = 1
    num_kept: int = 1
    prompt_ids: Sequence[Sequence[int] | None] = ()

    @property
    def is_plain(self) -> bool:
        """Whether nothing is."""
        return self.rules.is_plain and not (
            self.num_top_log_probs is not None
            or self.has_token_ids
            or self.has_continuous_usage
            or self.num_kept != self.num_tried
        )
