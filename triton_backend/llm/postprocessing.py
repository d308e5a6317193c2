"""From an engine's deltas to replies: text, stop strings, counts; one object per sequence."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .detokenizer import Detokenizer
from .engines.protocol import Delta, TopLogProbs
from .reply import Reply
from .stops import StopFinder, StopMatch

# OpenAI's number for "practically impossible"; JSON has no infinity.
_LEAST: Final = -9999.0


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What a client wants to see of its sequences; `prefix` is an echoed prompt.

    token_bytes: gives the bytes each id prints, where these are wanted one by one.
    top_bytes: the same for the likeliest tokens, where these are wanted.
    """

    is_stream: bool
    has_text: bool
    stop_words: tuple[str, ...]
    prefix: str
    num_input_tokens: int
    token_bytes: Callable[[int], bytes] | None = None
    top_bytes: Callable[[int], bytes] | None = None


class OutputSequence:
    """Gathers one sequence's tokens and text until a reply is due.

    Tokens that complete no character yet wait for those that do, so every reply's ids and log
    probs are those of its text; the last reply takes what is left.
    """

    def __init__(self, index: int, detokenizer: Detokenizer, options: OutputOptions) -> None:
        self._index = index
        self._detokenizer = detokenizer
        self._options = options
        self._stops = StopFinder(options.stop_words) if options.stop_words else None
        self._text = [options.prefix] if options.prefix else []
        self._ids: list[int] = []
        self._log_probs: list[float] = []
        self._tops: list[TopLogProbs] = []
        self._cached_tokens = 0
        self._finish_reason: str | None = None
        self._stop_reason = ""

    @property
    def is_finished(self) -> bool:
        """Whether the last delta, or a stop string, has been taken."""
        return self._finish_reason is not None

    def take(self, delta: Delta) -> None:
        """Add a delta; what comes after a stop string is dropped."""
        self._cached_tokens = max(self._cached_tokens, delta.cached_tokens)
        if self._stops is None:
            self._take_ids(delta, 0, len(delta.ids))
        else:
            # One at a time: the reply must end with the token that completed the stop string.
            for position in range(len(delta.ids)):
                self._take_ids(delta, position, position + 1)
                if self.is_finished:
                    return
        if delta.finish is not None:
            self._end(delta.finish)

    def reply(self) -> Reply | None:
        """The reply that is due now, if any."""
        is_due = self.is_finished or (
            self._options.is_stream and (self._text if self._options.has_text else self._ids)
        )
        if not is_due:
            return None
        reply = Reply(
            text="".join(self._text),
            ids=self._ids,
            tokens=self._tokens(),
            sequence_index=self._index,
            log_probs=self._log_probs,
            top_log_probs=self._top_log_probs(),
            finish_reason=self._finish_reason,
            stop_reason=self._stop_reason if self.is_finished else None,
            num_input_tokens=self._options.num_input_tokens,
            num_cached_tokens=self._cached_tokens if self.is_finished else None,
            num_output_tokens=len(self._ids),
        )
        self._text, self._ids, self._log_probs, self._tops = [], [], [], []
        return reply

    def _tokens(self) -> list[bytes] | None:
        token_bytes = self._options.token_bytes
        return None if token_bytes is None else [token_bytes(one) for one in self._ids]

    def _top_log_probs(self) -> str | None:
        """JSON: of each token a list of {token, logprob, bytes}, likeliest first."""
        top_bytes = self._options.top_bytes
        if top_bytes is None:
            return None
        told = [[_told(top_bytes(one), value) for one, value in top] for top in self._tops]
        return json.dumps(told, separators=(",", ":"), ensure_ascii=False)

    def _take_ids(self, delta: Delta, start: int, end: int) -> None:
        ids = delta.ids[start:end]
        self._ids += ids
        self._log_probs += delta.log_probs[start:end]
        self._tops += delta.top_log_probs[start:end]
        if self._options.has_text or self._stops:
            self._take_text(self._detokenizer.push(ids))

    def _take_text(self, text: str) -> None:
        match = StopMatch(text, None) if self._stops is None else self._stops.push(text)
        if match.text:
            self._text.append(match.text)
        if match.stop is not None:
            self._finish_reason, self._stop_reason = "stop", match.stop

    def _end(self, finish_reason: str) -> None:
        self._take_text(self._detokenizer.finish())
        if self.is_finished:  # the last characters completed a stop string
            return
        if self._stops is not None and (held := self._stops.finish()):
            self._text.append(held)
        self._finish_reason = finish_reason


def _told(printed: bytes, log_prob: float) -> dict[str, object]:
    # Rounding can lift a certain token a little above 0; what is no number becomes the least.
    value = min(log_prob, 0.0) if log_prob > _LEAST else _LEAST
    return {"token": printed.decode("utf-8", "replace"), "logprob": value, "bytes": list(printed)}
