"""From an engine's deltas to replies: text, stop strings, counts; one object per sequence."""

from collections.abc import Callable
from dataclasses import dataclass

from .detokenizer import Detokenizer
from .engines.protocol import Delta
from .reply import Reply
from .stops import StopFinder, StopMatch


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What a client wants to see of its sequences; `prefix` is an echoed prompt.

    token_bytes: gives the bytes each id prints, where these are wanted one by one.
    """

    is_stream: bool
    has_text: bool
    stop_words: tuple[str, ...]
    prefix: str
    num_input_tokens: int
    token_bytes: Callable[[int], bytes] | None = None


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
            self._take_ids(delta.ids, delta.log_probs)
        else:
            # One at a time: the reply must end with the token that completed the stop string.
            for position, token_id in enumerate(delta.ids):
                self._take_ids((token_id,), delta.log_probs[position : position + 1])
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
            finish_reason=self._finish_reason,
            stop_reason=self._stop_reason if self.is_finished else None,
            num_input_tokens=self._options.num_input_tokens,
            num_cached_tokens=self._cached_tokens if self.is_finished else None,
            num_output_tokens=len(self._ids),
        )
        self._text, self._ids, self._log_probs = [], [], []
        return reply

    def _tokens(self) -> list[bytes] | None:
        token_bytes = self._options.token_bytes
        return None if token_bytes is None else [token_bytes(one) for one in self._ids]

    def _take_ids(self, ids: tuple[int, ...], log_probs: tuple[float, ...]) -> None:
        self._ids += ids
        self._log_probs += log_probs
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
